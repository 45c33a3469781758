// SPDX-License-Identifier: MIT
/*
 * An ALSA plugin for tests of faults. Its PCM plays, or records silence, in real time, and one of its callbacks fails.
 *
 *     pcm.NAME { type faulty fault PATH }
 *
 * The plugin reads the file PATH when the PCM is opened. The file has one line: CALLBACK RESULT NTH TIMES. The callback of that
 * name (or "open") returns RESULT for TIMES calls, from its NTH on (0: the first). A failed "open" prints a message to stderr, as
 * libjack does.
 */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <sys/eventfd.h>

struct faulty {
  snd_pcm_ioplug_t io;
  char fault[32];
  long result, nth, times;
  long calls;
  /* The time of the last start or stop, and the frames played by then. */
  struct timespec start;
  snd_pcm_uframes_t played;
  int runs;
};

static int fails(struct faulty *f, const char *callback) {
  if (strcmp(f->fault, callback) != 0) return 0;
  long call = f->calls++;
  return call >= f->nth && call < f->nth + f->times;
}

#define FAIL(callback) \
  struct faulty *f = io->private_data; \
  if (fails(f, callback)) return f->result

static snd_pcm_uframes_t now(struct faulty *f) {
  if (!f->runs) return f->played;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  double seconds = (t.tv_sec - f->start.tv_sec) + (t.tv_nsec - f->start.tv_nsec) / 1e9;
  return f->played + (snd_pcm_uframes_t)(seconds * f->io.rate);
}

static void run(struct faulty *f, int runs) {
  f->played = now(f);
  f->runs = runs;
  clock_gettime(CLOCK_MONOTONIC, &f->start);
}

static int on_start(snd_pcm_ioplug_t *io) {
  FAIL("start");
  run(f, 1);
  return 0;
}

static int on_stop(snd_pcm_ioplug_t *io) {
  FAIL("stop");
  run(f, 0);
  return 0;
}

static snd_pcm_sframes_t on_pointer(snd_pcm_ioplug_t *io) {
  FAIL("pointer");
  return now(f) % io->buffer_size;
}

static snd_pcm_sframes_t on_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
                                     snd_pcm_uframes_t offset, snd_pcm_uframes_t size) {
  FAIL("transfer");
  if (io->stream == SND_PCM_STREAM_CAPTURE)
    snd_pcm_areas_silence(areas, offset, io->channels, size, io->format);
  return size;
}

static int on_close(snd_pcm_ioplug_t *io) {
  struct faulty *f = io->private_data;
  int result = fails(f, "close") ? f->result : 0;
  close(io->poll_fd);
  free(f);
  return result;
}

static int on_hw_params(snd_pcm_ioplug_t *io, snd_pcm_hw_params_t *params) {
  FAIL("hw_params");
  return 0;
}

static int on_hw_free(snd_pcm_ioplug_t *io) {
  FAIL("hw_free");
  return 0;
}

static int on_sw_params(snd_pcm_ioplug_t *io, snd_pcm_sw_params_t *params) {
  FAIL("sw_params");
  return 0;
}

static int on_prepare(snd_pcm_ioplug_t *io) {
  FAIL("prepare");
  f->played = f->runs = 0;
  return 0;
}

static int on_delay(snd_pcm_ioplug_t *io, snd_pcm_sframes_t *delay) {
  FAIL("delay");
  *delay = 0;
  return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
  .start = on_start,
  .stop = on_stop,
  .pointer = on_pointer,
  .transfer = on_transfer,
  .close = on_close,
  .hw_params = on_hw_params,
  .hw_free = on_hw_free,
  .sw_params = on_sw_params,
  .prepare = on_prepare,
  .delay = on_delay,
};

static int constrain(snd_pcm_ioplug_t *io) {
  static const unsigned accesses[] = { SND_PCM_ACCESS_RW_INTERLEAVED };
  static const unsigned formats[] = { SND_PCM_FORMAT_S16_LE };
  int error;
  if ((error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 1, accesses)) < 0) return error;
  if ((error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, formats)) < 0) return error;
  if ((error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, 1, 2)) < 0) return error;
  if ((error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, 8000, 48000)) < 0) return error;
  if ((error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64, 1 << 16)) < 0) return error;
  return snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 1024);
}

static void read_fault(struct faulty *f, const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return;
  if (fscanf(file, "%31s %ld %ld %ld", f->fault, &f->result, &f->nth, &f->times) != 4) f->fault[0] = 0;
  fclose(file);
}

SND_PCM_PLUGIN_DEFINE_FUNC(faulty) {
  const char *path = "";
  snd_config_iterator_t i, next;
  snd_config_for_each(i, next, conf) {
    snd_config_t *node = snd_config_iterator_entry(i);
    const char *id;
    if (snd_config_get_id(node, &id) >= 0 && strcmp(id, "fault") == 0) snd_config_get_string(node, &path);
  }
  struct faulty *f = calloc(1, sizeof *f);
  if (f == NULL) return -ENOMEM;
  read_fault(f, path);
  if (fails(f, "open")) {
    int result = f->result;
    fputs("faulty server is not running or cannot be started\n", stderr);
    free(f);
    return result;
  }
  f->io.version = SND_PCM_IOPLUG_VERSION;
  f->io.name = "xsnd test: faulty";
  f->io.callback = &callbacks;
  f->io.private_data = f;
  f->io.poll_fd = eventfd(1, EFD_CLOEXEC);
  f->io.poll_events = POLLIN;
  int error = snd_pcm_ioplug_create(&f->io, name, stream, mode);
  if (error < 0) {
    close(f->io.poll_fd);
    free(f);
    return error;
  }
  if ((error = constrain(&f->io)) < 0) {
    snd_pcm_ioplug_delete(&f->io);
    return error;
  }
  *pcmp = f->io.pcm;
  return 0;
}

SND_PCM_PLUGIN_SYMBOL(faulty);
