// SPDX-License-Identifier: MIT
/**
 * Every constant of `xen/io/sndif.h` (protocol version 2), in its spelling.
 */

// Protocol version.
export const XENSND_PROTOCOL_VERSION = 2;

// Sample formats; `formats.ts` says what each one is.
export const XENSND_PCM_FORMAT_S8 = 0;
export const XENSND_PCM_FORMAT_U8 = 1;
export const XENSND_PCM_FORMAT_S16_LE = 2;
export const XENSND_PCM_FORMAT_S16_BE = 3;
export const XENSND_PCM_FORMAT_U16_LE = 4;
export const XENSND_PCM_FORMAT_U16_BE = 5;
export const XENSND_PCM_FORMAT_S24_LE = 6;
export const XENSND_PCM_FORMAT_S24_BE = 7;
export const XENSND_PCM_FORMAT_U24_LE = 8;
export const XENSND_PCM_FORMAT_U24_BE = 9;
export const XENSND_PCM_FORMAT_S32_LE = 10;
export const XENSND_PCM_FORMAT_S32_BE = 11;
export const XENSND_PCM_FORMAT_U32_LE = 12;
export const XENSND_PCM_FORMAT_U32_BE = 13;
export const XENSND_PCM_FORMAT_F32_LE = 14;
export const XENSND_PCM_FORMAT_F32_BE = 15;
export const XENSND_PCM_FORMAT_F64_LE = 16;
export const XENSND_PCM_FORMAT_F64_BE = 17;
export const XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE = 18;
export const XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE = 19;
export const XENSND_PCM_FORMAT_MU_LAW = 20;
export const XENSND_PCM_FORMAT_A_LAW = 21;
export const XENSND_PCM_FORMAT_IMA_ADPCM = 22;
export const XENSND_PCM_FORMAT_MPEG = 23;
export const XENSND_PCM_FORMAT_GSM = 24;

// Requests (`xensnd_req.operation`).
export const XENSND_OP_OPEN = 0;
export const XENSND_OP_CLOSE = 1;
export const XENSND_OP_READ = 2;
export const XENSND_OP_WRITE = 3;
export const XENSND_OP_SET_VOLUME = 4;
export const XENSND_OP_GET_VOLUME = 5;
export const XENSND_OP_MUTE = 6;
export const XENSND_OP_UNMUTE = 7;
export const XENSND_OP_TRIGGER = 8;
export const XENSND_OP_HW_PARAM_QUERY = 9;

// Triggers (`xensnd_trigger_req.type`).
export const XENSND_OP_TRIGGER_START = 0;
export const XENSND_OP_TRIGGER_PAUSE = 1;
export const XENSND_OP_TRIGGER_STOP = 2;
export const XENSND_OP_TRIGGER_RESUME = 3;

// Events (`xensnd_evt.type`).
export const XENSND_EVT_CUR_POS = 0;

// XenStore: device class, list separator, node names and values.
export const XENSND_DRIVER_NAME = "vsnd";
export const XENSND_LIST_SEPARATOR = ",";
export const XENSND_FIELD_BE_VERSIONS = "versions";
export const XENSND_FIELD_FE_VERSION = "version";
export const XENSND_FIELD_VCARD_SHORT_NAME = "short-name";
export const XENSND_FIELD_VCARD_LONG_NAME = "long-name";
export const XENSND_FIELD_RING_REF = "ring-ref";
export const XENSND_FIELD_EVT_CHNL = "event-channel";
export const XENSND_FIELD_EVT_RING_REF = "evt-ring-ref";
export const XENSND_FIELD_EVT_EVT_CHNL = "evt-event-channel";
export const XENSND_FIELD_DEVICE_NAME = "name";
export const XENSND_FIELD_TYPE = "type";
export const XENSND_FIELD_STREAM_UNIQUE_ID = "unique-id";
export const XENSND_FIELD_CHANNELS_MIN = "channels-min";
export const XENSND_FIELD_CHANNELS_MAX = "channels-max";
export const XENSND_FIELD_SAMPLE_RATES = "sample-rates";
export const XENSND_FIELD_SAMPLE_FORMATS = "sample-formats";
export const XENSND_FIELD_BUFFER_SIZE = "buffer-size";
export const XENSND_STREAM_TYPE_PLAYBACK = "p";
export const XENSND_STREAM_TYPE_CAPTURE = "c";
export const XENSND_SAMPLE_RATE_MAX_LEN = 11;
export const XENSND_SAMPLE_FORMAT_MAX_LEN = 24;

// Values of a `sample-formats` list.
export const XENSND_PCM_FORMAT_S8_STR = "s8";
export const XENSND_PCM_FORMAT_U8_STR = "u8";
export const XENSND_PCM_FORMAT_S16_LE_STR = "s16_le";
export const XENSND_PCM_FORMAT_S16_BE_STR = "s16_be";
export const XENSND_PCM_FORMAT_U16_LE_STR = "u16_le";
export const XENSND_PCM_FORMAT_U16_BE_STR = "u16_be";
export const XENSND_PCM_FORMAT_S24_LE_STR = "s24_le";
export const XENSND_PCM_FORMAT_S24_BE_STR = "s24_be";
export const XENSND_PCM_FORMAT_U24_LE_STR = "u24_le";
export const XENSND_PCM_FORMAT_U24_BE_STR = "u24_be";
export const XENSND_PCM_FORMAT_S32_LE_STR = "s32_le";
export const XENSND_PCM_FORMAT_S32_BE_STR = "s32_be";
export const XENSND_PCM_FORMAT_U32_LE_STR = "u32_le";
export const XENSND_PCM_FORMAT_U32_BE_STR = "u32_be";
export const XENSND_PCM_FORMAT_F32_LE_STR = "float_le";
export const XENSND_PCM_FORMAT_F32_BE_STR = "float_be";
export const XENSND_PCM_FORMAT_F64_LE_STR = "float64_le";
export const XENSND_PCM_FORMAT_F64_BE_STR = "float64_be";
export const XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE_STR = "iec958_subframe_le";
export const XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE_STR = "iec958_subframe_be";
export const XENSND_PCM_FORMAT_MU_LAW_STR = "mu_law";
export const XENSND_PCM_FORMAT_A_LAW_STR = "a_law";
export const XENSND_PCM_FORMAT_IMA_ADPCM_STR = "ima_adpcm";
export const XENSND_PCM_FORMAT_MPEG_STR = "mpeg";
export const XENSND_PCM_FORMAT_GSM_STR = "gsm";

// The event page (`struct xensnd_event_page`): a header, then the slots.
export const XENSND_EVENT_PAGE_SIZE = 4096;
export const XENSND_IN_RING_OFFS = 64;
export const XENSND_IN_RING_SIZE = XENSND_EVENT_PAGE_SIZE - XENSND_IN_RING_OFFS;
export const XENSND_IN_RING_LEN = XENSND_IN_RING_SIZE / 64;

/** Octets of every request, response and event: `sizeof(struct xensnd_req)`. */
export const PACKET_SIZE = 64;
