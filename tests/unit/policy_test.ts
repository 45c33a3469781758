// SPDX-License-Identifier: MIT
/** The host's limits on a stream, against a guest that asks for arbitrary parameters. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { judgeOpen, narrow } from "../../lib/stream/open_admission.ts";
import { formatByName, FORMATS, HwParam, type OpenRequest } from "../../lib/sndif/mod.ts";
import type { StreamParams } from "../../lib/vsnd/model/card.ts";

const ALL = 0xffffffff;
const S16 = formatByName("s16_le")!.code;

const allowed: StreamParams = {
  rates: [44100, 48000],
  formats: ["s16_le", "s32_le"],
  channelsMin: 1,
  channelsMax: 2,
  bufferSizeBytes: 65536,
};

const open: OpenRequest = {
  pcmRate: 48000,
  pcmFormat: S16,
  pcmChannels: 2,
  bufferSz: 65536,
  grefDirectory: 0,
  periodSz: 16384,
};

Deno.test("judgeOpen() takes what is allowed, up to its bounds", () => {
  for (
    const change of [{}, { pcmRate: 44100 }, { pcmChannels: 1 }, { bufferSz: 4, periodSz: 4 }, {
      periodSz: 0,
    }, {
      periodSz: 65536,
    }]
  ) assert.equal(judgeOpen({ ...open, ...change }, allowed), undefined);
});

Deno.test("judgeOpen() refuses whatever is not, and says what", () => {
  const cases: [change: Partial<OpenRequest>, reason: RegExp][] = [
    [{ pcmRate: 0 }, /rate 0 is not one of 44100,48000/],
    [{ pcmRate: 46000 }, /rate 46000/],
    [{ pcmRate: ALL }, /rate 4294967295/],
    [{ pcmFormat: formatByName("s8")!.code }, /format s8 is not one of s16_le,s32_le/],
    [{ pcmFormat: formatByName("mpeg")!.code }, /format mpeg/],
    [{ pcmFormat: 25 }, /format 25/],
    [{ pcmFormat: 255 }, /format 255/],
    [{ pcmChannels: 0 }, /0 channels are not 1 to 2/],
    [{ pcmChannels: 3 }, /3 channels/],
    [{ bufferSz: 0 }, /a buffer of 0 octets/],
    [{ bufferSz: 65540 }, /a buffer of 65540 octets is not within 1 to 65536/],
    [{ bufferSz: ALL }, /a buffer of 4294967295/],
    [{ bufferSz: 65535 }, /a buffer of 65535 octets is no whole number of frames/],
    [{ periodSz: 2 }, /a period of 2 octets is no whole number of frames/],
    [{ bufferSz: 8192, periodSz: 8196 }, /a period of 8196 octets does not fit a buffer of 8192/],
    [{ periodSz: ALL - 3 }, /does not fit/],
  ];
  for (const [change, reason] of cases) {
    assert.match(judgeOpen({ ...open, ...change }, allowed) ?? "", reason);
  }
});

Deno.test("judgeOpen() never takes a format that has no fixed size, even where a configuration lists it", () => {
  const lax = { ...allowed, formats: FORMATS.map(({ name }) => name) };
  for (const { code, octets } of FORMATS.filter(({ octets }) => octets === undefined)) {
    assert.equal(octets, undefined);
    assert.notEqual(judgeOpen({ ...open, pcmFormat: code }, lax), undefined);
  }
});

/** A configuration space as a guest sends it: everything, or narrowed by `change` as by an application's choices. */
function space(change: (param: HwParam) => void = () => {}): HwParam {
  const param = new HwParam();
  param.formatsLow = param.formatsHigh = ALL;
  for (const interval of [param.rates, param.channels, param.buffer, param.period]) interval.max = ALL;
  change(param);
  return param;
}

const fix = (interval: { min: number; max: number }, value: number) => interval.min = interval.max = value;
const isEmpty = ({ min, max }: { min: number; max: number }) => min > max;

Deno.test("narrow() offers the whole of what is allowed to a guest that has settled nothing", () => {
  const param = space();
  narrow(param, allowed);
  assert.deepEqual(
    { ...param },
    {
      formatsLow: 1 << S16 | 1 << formatByName("s32_le")!.code,
      formatsHigh: 0,
      rates: { min: 44100, max: 48000 },
      channels: { min: 1, max: 2 },
      buffer: { min: 64, max: 32768 },
      period: { min: 32, max: 16384 },
    },
  );
});

Deno.test("narrow() fits the buffer to the frame that the guest has settled", () => {
  const param = space((param) => {
    fix(param.channels, 2);
    param.formatsLow = 1 << formatByName("s32_le")!.code;
  });
  narrow(param, allowed);
  assert.deepEqual(param.buffer, { min: 64, max: 8192 });
  assert.deepEqual(param.period, { min: 32, max: 4096 });
});

Deno.test("narrow() leaves an empty interval where nothing fits", () => {
  for (
    const [what, change] of Object.entries<(param: HwParam) => void>({
      rates: (param) => fix(param.rates, 96000),
      channels: (param) => fix(param.channels, 6),
      buffer: (param) => param.buffer.min = 65536,
      period: (param) => param.period.max = 8,
    })
  ) {
    const param = space(change);
    narrow(param, allowed);
    assert(isEmpty(param[what as "rates"]), what);
  }
  const none = space((param) => param.formatsLow = 1 << formatByName("u8")!.code);
  narrow(none, allowed);
  assert.equal(none.formatsLow, 0);
});

const word = fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: ALL }));
const interval = fc.tuple(word, word);

Deno.test("narrow() only ever takes away, whatever a guest sends", () => {
  fc.assert(
    fc.property(
      word,
      word,
      interval,
      interval,
      interval,
      interval,
      (low, high, rates, channels, buffer, period) => {
        const param = space((param) => {
          param.formatsLow = low;
          param.formatsHigh = high;
          [param.rates.min, param.rates.max] = rates;
          [param.channels.min, param.channels.max] = channels;
          [param.buffer.min, param.buffer.max] = buffer;
          [param.period.min, param.period.max] = period;
        });
        narrow(param, allowed);
        assert.equal((param.formatsLow & ~low) >>> 0, 0);
        assert.equal(param.formatsHigh, 0);
        for (
          const [now, [min, max]] of [[param.rates, rates], [param.channels, channels], [
            param.buffer,
            buffer,
          ], [
            param.period,
            period,
          ]] as const
        ) {
          assert(now.min >= min && now.max <= max);
          assert(Number.isInteger(now.min) && Number.isInteger(now.max) && now.max >= 0 && now.min <= ALL);
        }
      },
    ),
  );
});

Deno.test("judgeOpen() takes everything that narrow() offers", () => {
  const names = FORMATS.filter(({ octets }) => octets !== undefined).map(({ name }) => name);
  const params: fc.Arbitrary<StreamParams> = fc.record({
    rates: fc.uniqueArray(fc.constantFrom(8000, 22050, 44100, 48000, 96000, 192000), { minLength: 1 }),
    formats: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }),
    channelsMin: fc.integer({ min: 1, max: 8 }),
    channelsMax: fc.integer({ min: 8, max: 32 }),
    bufferSizeBytes: fc.integer({ min: 1, max: 1 << 20 }),
  });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(
      params,
      fc.array(share, { minLength: 5, maxLength: 5 }),
      fc.nat(),
      (allowed, shares, pick) => {
        // As hw_params in an application: one parameter at a time, each followed by a query.
        const param = space();
        const within = ({ min, max }: { min: number; max: number }) =>
          min + Math.floor(shares.pop()! * (max - min));
        const settle = (interval: { min: number; max: number }) => {
          narrow(param, allowed);
          if (isEmpty(interval)) return false;
          fix(interval, within(interval));
          return true;
        };
        narrow(param, allowed);
        const format = allowed.formats.map((name) => formatByName(name)!)[pick % allowed.formats.length];
        param.formatsLow = (param.formatsLow & 1 << format!.code) >>> 0;
        fix(param.rates, allowed.rates[pick % allowed.rates.length]!);
        if (!settle(param.channels) || !settle(param.buffer)) return;
        param.period.max = Math.min(param.period.max, param.buffer.max >> 1); // periods_min is 2
        if (!settle(param.period)) return;
        narrow(param, allowed);
        assert(![param.rates, param.channels, param.buffer, param.period].some(isEmpty));
        const frameBytes = format!.octets! * param.channels.min;
        const reason = judgeOpen({
          pcmRate: param.rates.min,
          pcmFormat: format!.code,
          pcmChannels: param.channels.min,
          bufferSz: param.buffer.min * frameBytes,
          grefDirectory: 0,
          periodSz: param.period.min * frameBytes,
        }, allowed);
        assert.equal(reason, undefined);
      },
    ),
  );
});

Deno.test("narrow() offers no range of rates that holds none of those allowed", () => {
  for (const [min, max] of [[44101, 47999], [46000, 46000]] as const) {
    const between = space((param) => [param.rates.min, param.rates.max] = [min, max]);
    narrow(between, allowed);
    assert(isEmpty(between.rates), `${between.rates.min} to ${between.rates.max}`);
  }
  const above = space((param) => param.rates.min = 46000);
  narrow(above, allowed);
  assert.deepEqual(above.rates, { min: 48000, max: 48000 });
});
