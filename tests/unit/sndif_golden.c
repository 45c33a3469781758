// SPDX-License-Identifier: MIT
/*
 * Prints the sndif v2 protocol as Xen's own headers define it: constants, one packet of each kind, the event page's slots
 * and the ring's hold-off decisions. The output is fixtures/sndif/golden.txt; sndif_golden_test.ts compares both with
 * lib/sndif. Build: cc -o sndif_golden sndif_golden.c (Debian package libxen-dev).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Selects the current interface, in which the including file defines the barriers. */
#define __XEN_TOOLS__ 1
#define xen_mb() __sync_synchronize()
#define xen_rmb() __sync_synchronize()
#define xen_wmb() __sync_synchronize()
#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/io/sndif.h>

#define NUMBER(name) printf("constant %s %lld\n", #name, (long long)(name))
#define STRING(name) printf("constant %s \"%s\"\n", #name, name)
#define OFFSET(type, field) printf("offset %s.%s %zu\n", #type, #field, offsetof(struct type, field))

static void constants(void)
{
  NUMBER(XENSND_PROTOCOL_VERSION);
  NUMBER(XENSND_PCM_FORMAT_S8);
  NUMBER(XENSND_PCM_FORMAT_U8);
  NUMBER(XENSND_PCM_FORMAT_S16_LE);
  NUMBER(XENSND_PCM_FORMAT_S16_BE);
  NUMBER(XENSND_PCM_FORMAT_U16_LE);
  NUMBER(XENSND_PCM_FORMAT_U16_BE);
  NUMBER(XENSND_PCM_FORMAT_S24_LE);
  NUMBER(XENSND_PCM_FORMAT_S24_BE);
  NUMBER(XENSND_PCM_FORMAT_U24_LE);
  NUMBER(XENSND_PCM_FORMAT_U24_BE);
  NUMBER(XENSND_PCM_FORMAT_S32_LE);
  NUMBER(XENSND_PCM_FORMAT_S32_BE);
  NUMBER(XENSND_PCM_FORMAT_U32_LE);
  NUMBER(XENSND_PCM_FORMAT_U32_BE);
  NUMBER(XENSND_PCM_FORMAT_F32_LE);
  NUMBER(XENSND_PCM_FORMAT_F32_BE);
  NUMBER(XENSND_PCM_FORMAT_F64_LE);
  NUMBER(XENSND_PCM_FORMAT_F64_BE);
  NUMBER(XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE);
  NUMBER(XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE);
  NUMBER(XENSND_PCM_FORMAT_MU_LAW);
  NUMBER(XENSND_PCM_FORMAT_A_LAW);
  NUMBER(XENSND_PCM_FORMAT_IMA_ADPCM);
  NUMBER(XENSND_PCM_FORMAT_MPEG);
  NUMBER(XENSND_PCM_FORMAT_GSM);
  NUMBER(XENSND_OP_OPEN);
  NUMBER(XENSND_OP_CLOSE);
  NUMBER(XENSND_OP_READ);
  NUMBER(XENSND_OP_WRITE);
  NUMBER(XENSND_OP_SET_VOLUME);
  NUMBER(XENSND_OP_GET_VOLUME);
  NUMBER(XENSND_OP_MUTE);
  NUMBER(XENSND_OP_UNMUTE);
  NUMBER(XENSND_OP_TRIGGER);
  NUMBER(XENSND_OP_HW_PARAM_QUERY);
  NUMBER(XENSND_OP_TRIGGER_START);
  NUMBER(XENSND_OP_TRIGGER_PAUSE);
  NUMBER(XENSND_OP_TRIGGER_STOP);
  NUMBER(XENSND_OP_TRIGGER_RESUME);
  NUMBER(XENSND_EVT_CUR_POS);
  NUMBER(XENSND_SAMPLE_RATE_MAX_LEN);
  NUMBER(XENSND_SAMPLE_FORMAT_MAX_LEN);
  NUMBER(XENSND_EVENT_PAGE_SIZE);
  NUMBER(XENSND_IN_RING_OFFS);
  NUMBER(XENSND_IN_RING_SIZE);
  NUMBER(XENSND_IN_RING_LEN);
  STRING(XENSND_DRIVER_NAME);
  STRING(XENSND_LIST_SEPARATOR);
  STRING(XENSND_FIELD_BE_VERSIONS);
  STRING(XENSND_FIELD_FE_VERSION);
  STRING(XENSND_FIELD_VCARD_SHORT_NAME);
  STRING(XENSND_FIELD_VCARD_LONG_NAME);
  STRING(XENSND_FIELD_RING_REF);
  STRING(XENSND_FIELD_EVT_CHNL);
  STRING(XENSND_FIELD_EVT_RING_REF);
  STRING(XENSND_FIELD_EVT_EVT_CHNL);
  STRING(XENSND_FIELD_DEVICE_NAME);
  STRING(XENSND_FIELD_TYPE);
  STRING(XENSND_FIELD_STREAM_UNIQUE_ID);
  STRING(XENSND_FIELD_CHANNELS_MIN);
  STRING(XENSND_FIELD_CHANNELS_MAX);
  STRING(XENSND_FIELD_SAMPLE_RATES);
  STRING(XENSND_FIELD_SAMPLE_FORMATS);
  STRING(XENSND_FIELD_BUFFER_SIZE);
  STRING(XENSND_STREAM_TYPE_PLAYBACK);
  STRING(XENSND_STREAM_TYPE_CAPTURE);
  STRING(XENSND_PCM_FORMAT_S8_STR);
  STRING(XENSND_PCM_FORMAT_U8_STR);
  STRING(XENSND_PCM_FORMAT_S16_LE_STR);
  STRING(XENSND_PCM_FORMAT_S16_BE_STR);
  STRING(XENSND_PCM_FORMAT_U16_LE_STR);
  STRING(XENSND_PCM_FORMAT_U16_BE_STR);
  STRING(XENSND_PCM_FORMAT_S24_LE_STR);
  STRING(XENSND_PCM_FORMAT_S24_BE_STR);
  STRING(XENSND_PCM_FORMAT_U24_LE_STR);
  STRING(XENSND_PCM_FORMAT_U24_BE_STR);
  STRING(XENSND_PCM_FORMAT_S32_LE_STR);
  STRING(XENSND_PCM_FORMAT_S32_BE_STR);
  STRING(XENSND_PCM_FORMAT_U32_LE_STR);
  STRING(XENSND_PCM_FORMAT_U32_BE_STR);
  STRING(XENSND_PCM_FORMAT_F32_LE_STR);
  STRING(XENSND_PCM_FORMAT_F32_BE_STR);
  STRING(XENSND_PCM_FORMAT_F64_LE_STR);
  STRING(XENSND_PCM_FORMAT_F64_BE_STR);
  STRING(XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE_STR);
  STRING(XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE_STR);
  STRING(XENSND_PCM_FORMAT_MU_LAW_STR);
  STRING(XENSND_PCM_FORMAT_A_LAW_STR);
  STRING(XENSND_PCM_FORMAT_IMA_ADPCM_STR);
  STRING(XENSND_PCM_FORMAT_MPEG_STR);
  STRING(XENSND_PCM_FORMAT_GSM_STR);
  NUMBER(XEN_EPERM);
  NUMBER(XEN_ENOENT);
  NUMBER(XEN_EIO);
  NUMBER(XEN_ENXIO);
  NUMBER(XEN_EAGAIN);
  NUMBER(XEN_ENOMEM);
  NUMBER(XEN_EACCES);
  NUMBER(XEN_EFAULT);
  NUMBER(XEN_EBUSY);
  NUMBER(XEN_EEXIST);
  NUMBER(XEN_ENODEV);
  NUMBER(XEN_EINVAL);
  NUMBER(XEN_ENOSPC);
  NUMBER(XEN_ENOSYS);
  NUMBER(XEN_EILSEQ);
  NUMBER(XEN_EOPNOTSUPP);
  NUMBER(XEN_ETIMEDOUT);
}

static void packet(const char *name, const void *bytes)
{
  printf("packet %s ", name);
  for (size_t i = 0; i < 64; i++)
    printf("%02x", ((const unsigned char *)bytes)[i]);
  printf("\n");
}

static void fill_hw_param(struct xensnd_query_hw_param *p)
{
  p->formats = 0x8000000180c04c44ULL;
  p->rates.min = 5512;
  p->rates.max = 192000;
  p->channels.min = 1;
  p->channels.max = 255;
  p->buffer.min = 64;
  p->buffer.max = 0xfffffffe;
  p->period.min = 32;
  p->period.max = 0x80000001;
}

static void request(const char *name, int operation, struct xensnd_req req)
{
  req.id = 0xbeef;
  req.operation = operation;
  packet(name, &req);
}

static void requests(void)
{
  const struct xensnd_req zero = { 0 };
  struct xensnd_req req = zero;
  req.op.open.pcm_rate = 48000;
  req.op.open.pcm_format = XENSND_PCM_FORMAT_S24_LE;
  req.op.open.pcm_channels = 6;
  req.op.open.buffer_sz = 0x00f01234;
  req.op.open.gref_directory = 0x89abcdef;
  req.op.open.period_sz = 0x00051235;
  request("request_open", XENSND_OP_OPEN, req);

  request("request_close", XENSND_OP_CLOSE, zero);

  req = zero;
  req.op.rw.offset = 0x80706050;
  req.op.rw.length = 0x40302010;
  request("request_read", XENSND_OP_READ, req);
  request("request_write", XENSND_OP_WRITE, req);
  request("request_set_volume", XENSND_OP_SET_VOLUME, req);
  request("request_get_volume", XENSND_OP_GET_VOLUME, req);
  request("request_mute", XENSND_OP_MUTE, req);
  request("request_unmute", XENSND_OP_UNMUTE, req);

  req = zero;
  req.op.trigger.type = XENSND_OP_TRIGGER_RESUME;
  request("request_trigger", XENSND_OP_TRIGGER, req);

  req = zero;
  fill_hw_param(&req.op.hw_param);
  request("request_hw_param_query", XENSND_OP_HW_PARAM_QUERY, req);
}

static void responses(void)
{
  struct xensnd_resp resp = { 0 };
  resp.id = 0xfffe;
  resp.operation = XENSND_OP_WRITE;
  resp.status = -XEN_EIO;
  packet("response_write", &resp);

  resp.operation = XENSND_OP_HW_PARAM_QUERY;
  resp.status = 0;
  fill_hw_param(&resp.resp.hw_param);
  packet("response_hw_param_query", &resp);
}

static void events(void)
{
  struct xensnd_evt evt = { 0 };
  evt.id = 0xfedc;
  evt.type = XENSND_EVT_CUR_POS;
  evt.op.cur_pos.position = 0x001234569abcdef0ULL;
  packet("event_cur_pos", &evt);
}

static void ring(void)
{
  static char page[4096];
  OFFSET(xen_sndif_sring, req_prod);
  OFFSET(xen_sndif_sring, req_event);
  OFFSET(xen_sndif_sring, rsp_prod);
  OFFSET(xen_sndif_sring, rsp_event);
  OFFSET(xen_sndif_sring, ring);

  xen_sndif_sring_t *sring = (xen_sndif_sring_t *)page;
  SHARED_RING_INIT(sring);
  packet("initial_ring_header", page);

  xen_sndif_back_ring_t back;
  BACK_RING_INIT(&back, sring, sizeof(page));
  printf("ring size %u\n", RING_SIZE(&back));

  /* Zero to three responses at once from each of `olds`, with every rsp_event around them. */
  static const RING_IDX olds[] = { 0, 31, 0x7fffffff, 0xfffffffe, 0xffffffff };
  for (size_t o = 0; o < sizeof(olds) / sizeof(olds[0]); o++)
    for (RING_IDX count = 0; count <= 3; count++)
      for (RING_IDX event = olds[o] - 2; event != olds[o] + 6; event++) {
        int notify;
        sring->rsp_prod = olds[o];
        sring->rsp_event = event;
        back.rsp_prod_pvt = olds[o] + count;
        RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&back, notify);
        printf("notify %u %u %u %d\n", olds[o], count, event, notify);
      }
}

static void page_directory(void)
{
  OFFSET(xensnd_page_directory, gref_dir_next_page);
  OFFSET(xensnd_page_directory, gref);
}

static void event_page(void)
{
  static char page[XENSND_EVENT_PAGE_SIZE];
  OFFSET(xensnd_event_page, in_cons);
  OFFSET(xensnd_event_page, in_prod);
  static const uint32_t indices[] = {
    0, 1, 62, 63, 64, 0x7fffffff, 0x80000000, 0xfffffffb, 0xfffffffc, 0xfffffffd, 0xfffffffe, 0xffffffff
  };
  for (size_t i = 0; i < sizeof(indices) / sizeof(indices[0]); i++)
    printf("event_slot %u %zu\n", indices[i],
           (size_t)((char *)&XENSND_IN_RING_REF(page, indices[i]) - page));
}

int main(void)
{
  constants();
  requests();
  responses();
  events();
  ring();
  page_directory();
  event_page();
  return 0;
}
