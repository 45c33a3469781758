// SPDX-License-Identifier: MIT
/** Every constant of `xen/io/sndif.h` (protocol version 2), in the header's spelling. */

// Protocol version.
/** The version of the protocol. */
export const XENSND_PROTOCOL_VERSION = 2;

// Sample formats; `formats.ts` describes each.
/** Signed 8-bit samples. */
export const XENSND_PCM_FORMAT_S8 = 0;
/** Unsigned 8-bit samples. */
export const XENSND_PCM_FORMAT_U8 = 1;
/** Signed 16-bit samples, little-endian. */
export const XENSND_PCM_FORMAT_S16_LE = 2;
/** Signed 16-bit samples, big-endian. */
export const XENSND_PCM_FORMAT_S16_BE = 3;
/** Unsigned 16-bit samples, little-endian. */
export const XENSND_PCM_FORMAT_U16_LE = 4;
/** Unsigned 16-bit samples, big-endian. */
export const XENSND_PCM_FORMAT_U16_BE = 5;
/** Signed 24-bit samples in 4 octets, little-endian. */
export const XENSND_PCM_FORMAT_S24_LE = 6;
/** Signed 24-bit samples in 4 octets, big-endian. */
export const XENSND_PCM_FORMAT_S24_BE = 7;
/** Unsigned 24-bit samples in 4 octets, little-endian. */
export const XENSND_PCM_FORMAT_U24_LE = 8;
/** Unsigned 24-bit samples in 4 octets, big-endian. */
export const XENSND_PCM_FORMAT_U24_BE = 9;
/** Signed 32-bit samples, little-endian. */
export const XENSND_PCM_FORMAT_S32_LE = 10;
/** Signed 32-bit samples, big-endian. */
export const XENSND_PCM_FORMAT_S32_BE = 11;
/** Unsigned 32-bit samples, little-endian. */
export const XENSND_PCM_FORMAT_U32_LE = 12;
/** Unsigned 32-bit samples, big-endian. */
export const XENSND_PCM_FORMAT_U32_BE = 13;
/** IEEE 754 samples of 32 bits, little-endian. */
export const XENSND_PCM_FORMAT_F32_LE = 14;
/** IEEE 754 samples of 32 bits, big-endian. */
export const XENSND_PCM_FORMAT_F32_BE = 15;
/** IEEE 754 samples of 64 bits, little-endian. */
export const XENSND_PCM_FORMAT_F64_LE = 16;
/** IEEE 754 samples of 64 bits, big-endian. */
export const XENSND_PCM_FORMAT_F64_BE = 17;
/** IEC 958 subframes, little-endian. */
export const XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE = 18;
/** IEC 958 subframes, big-endian. */
export const XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE = 19;
/** Mu-law samples. */
export const XENSND_PCM_FORMAT_MU_LAW = 20;
/** A-law samples. */
export const XENSND_PCM_FORMAT_A_LAW = 21;
/** IMA ADPCM, compressed. */
export const XENSND_PCM_FORMAT_IMA_ADPCM = 22;
/** MPEG, compressed. */
export const XENSND_PCM_FORMAT_MPEG = 23;
/** GSM, compressed. */
export const XENSND_PCM_FORMAT_GSM = 24;

// Requests (`xensnd_req.operation`).
/** Opens the stream with parameters and a shared buffer. */
export const XENSND_OP_OPEN = 0;
/** Closes the stream. */
export const XENSND_OP_CLOSE = 1;
/** The frontend wants captured samples. */
export const XENSND_OP_READ = 2;
/** The frontend has written samples. */
export const XENSND_OP_WRITE = 3;
/** Sets the volume of each channel. */
export const XENSND_OP_SET_VOLUME = 4;
/** Asks for the volume of each channel. */
export const XENSND_OP_GET_VOLUME = 5;
/** Mutes channels. */
export const XENSND_OP_MUTE = 6;
/** Unmutes channels. */
export const XENSND_OP_UNMUTE = 7;
/** Starts, pauses, stops or resumes the stream. */
export const XENSND_OP_TRIGGER = 8;
/** Narrows a configuration space. */
export const XENSND_OP_HW_PARAM_QUERY = 9;

// Triggers (`xensnd_trigger_req.type`).
/** Starts the stream. */
export const XENSND_OP_TRIGGER_START = 0;
/** Pauses the stream. */
export const XENSND_OP_TRIGGER_PAUSE = 1;
/** Stops the stream. */
export const XENSND_OP_TRIGGER_STOP = 2;
/** Resumes a paused stream. */
export const XENSND_OP_TRIGGER_RESUME = 3;

// Events (`xensnd_evt.type`).
/** The device's position, in octets since OPEN. */
export const XENSND_EVT_CUR_POS = 0;

// XenStore: device class, list separator, node names and values.
/** The device class in XenStore. */
export const XENSND_DRIVER_NAME = "vsnd";
/** What separates the entries of a list in a node. */
export const XENSND_LIST_SEPARATOR = ",";
/** The backend's node of the protocol versions that it speaks. */
export const XENSND_FIELD_BE_VERSIONS = "versions";
/** The frontend's node of the protocol version that it has chosen. */
export const XENSND_FIELD_FE_VERSION = "version";
/** A card's node of its short name. */
export const XENSND_FIELD_VCARD_SHORT_NAME = "short-name";
/** A card's node of its long name. */
export const XENSND_FIELD_VCARD_LONG_NAME = "long-name";
/** A stream's node of the grant reference of its request ring. */
export const XENSND_FIELD_RING_REF = "ring-ref";
/** A stream's node of the event channel of its request ring. */
export const XENSND_FIELD_EVT_CHNL = "event-channel";
/** A stream's node of the grant reference of its event page. */
export const XENSND_FIELD_EVT_RING_REF = "evt-ring-ref";
/** A stream's node of the event channel of its event page. */
export const XENSND_FIELD_EVT_EVT_CHNL = "evt-event-channel";
/** A PCM's node of its name. */
export const XENSND_FIELD_DEVICE_NAME = "name";
/** A stream's node of its direction. */
export const XENSND_FIELD_TYPE = "type";
/** A stream's node of its unique id. */
export const XENSND_FIELD_STREAM_UNIQUE_ID = "unique-id";
/** The node of the smallest number of channels. */
export const XENSND_FIELD_CHANNELS_MIN = "channels-min";
/** The node of the largest number of channels. */
export const XENSND_FIELD_CHANNELS_MAX = "channels-max";
/** The node of the list of sample rates, in Hz. */
export const XENSND_FIELD_SAMPLE_RATES = "sample-rates";
/** The node of the list of sample formats. */
export const XENSND_FIELD_SAMPLE_FORMATS = "sample-formats";
/** The node of the largest buffer, in octets. */
export const XENSND_FIELD_BUFFER_SIZE = "buffer-size";
/** The direction of a playback stream. */
export const XENSND_STREAM_TYPE_PLAYBACK = "p";
/** The direction of a capture stream. */
export const XENSND_STREAM_TYPE_CAPTURE = "c";
/** Octets of a sample rate in a list, with the separator, at most. */
export const XENSND_SAMPLE_RATE_MAX_LEN = 11;
/** Octets of the name of a sample format in a list, with the separator, at most. */
export const XENSND_SAMPLE_FORMAT_MAX_LEN = 24;

// Values of a `sample-formats` list.
/** The name of {@link XENSND_PCM_FORMAT_S8} in a list. */
export const XENSND_PCM_FORMAT_S8_STR = "s8";
/** The name of {@link XENSND_PCM_FORMAT_U8} in a list. */
export const XENSND_PCM_FORMAT_U8_STR = "u8";
/** The name of {@link XENSND_PCM_FORMAT_S16_LE} in a list. */
export const XENSND_PCM_FORMAT_S16_LE_STR = "s16_le";
/** The name of {@link XENSND_PCM_FORMAT_S16_BE} in a list. */
export const XENSND_PCM_FORMAT_S16_BE_STR = "s16_be";
/** The name of {@link XENSND_PCM_FORMAT_U16_LE} in a list. */
export const XENSND_PCM_FORMAT_U16_LE_STR = "u16_le";
/** The name of {@link XENSND_PCM_FORMAT_U16_BE} in a list. */
export const XENSND_PCM_FORMAT_U16_BE_STR = "u16_be";
/** The name of {@link XENSND_PCM_FORMAT_S24_LE} in a list. */
export const XENSND_PCM_FORMAT_S24_LE_STR = "s24_le";
/** The name of {@link XENSND_PCM_FORMAT_S24_BE} in a list. */
export const XENSND_PCM_FORMAT_S24_BE_STR = "s24_be";
/** The name of {@link XENSND_PCM_FORMAT_U24_LE} in a list. */
export const XENSND_PCM_FORMAT_U24_LE_STR = "u24_le";
/** The name of {@link XENSND_PCM_FORMAT_U24_BE} in a list. */
export const XENSND_PCM_FORMAT_U24_BE_STR = "u24_be";
/** The name of {@link XENSND_PCM_FORMAT_S32_LE} in a list. */
export const XENSND_PCM_FORMAT_S32_LE_STR = "s32_le";
/** The name of {@link XENSND_PCM_FORMAT_S32_BE} in a list. */
export const XENSND_PCM_FORMAT_S32_BE_STR = "s32_be";
/** The name of {@link XENSND_PCM_FORMAT_U32_LE} in a list. */
export const XENSND_PCM_FORMAT_U32_LE_STR = "u32_le";
/** The name of {@link XENSND_PCM_FORMAT_U32_BE} in a list. */
export const XENSND_PCM_FORMAT_U32_BE_STR = "u32_be";
/** The name of {@link XENSND_PCM_FORMAT_F32_LE} in a list. */
export const XENSND_PCM_FORMAT_F32_LE_STR = "float_le";
/** The name of {@link XENSND_PCM_FORMAT_F32_BE} in a list. */
export const XENSND_PCM_FORMAT_F32_BE_STR = "float_be";
/** The name of {@link XENSND_PCM_FORMAT_F64_LE} in a list. */
export const XENSND_PCM_FORMAT_F64_LE_STR = "float64_le";
/** The name of {@link XENSND_PCM_FORMAT_F64_BE} in a list. */
export const XENSND_PCM_FORMAT_F64_BE_STR = "float64_be";
/** The name of {@link XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE} in a list. */
export const XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE_STR = "iec958_subframe_le";
/** The name of {@link XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE} in a list. */
export const XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE_STR = "iec958_subframe_be";
/** The name of {@link XENSND_PCM_FORMAT_MU_LAW} in a list. */
export const XENSND_PCM_FORMAT_MU_LAW_STR = "mu_law";
/** The name of {@link XENSND_PCM_FORMAT_A_LAW} in a list. */
export const XENSND_PCM_FORMAT_A_LAW_STR = "a_law";
/** The name of {@link XENSND_PCM_FORMAT_IMA_ADPCM} in a list. */
export const XENSND_PCM_FORMAT_IMA_ADPCM_STR = "ima_adpcm";
/** The name of {@link XENSND_PCM_FORMAT_MPEG} in a list. */
export const XENSND_PCM_FORMAT_MPEG_STR = "mpeg";
/** The name of {@link XENSND_PCM_FORMAT_GSM} in a list. */
export const XENSND_PCM_FORMAT_GSM_STR = "gsm";

// The event page (`struct xensnd_event_page`): a header, then the slots.
/** Octets of the event page. */
export const XENSND_EVENT_PAGE_SIZE = 4096;
/** Octets before the first slot of the event page. */
export const XENSND_IN_RING_OFFS = 64;
/** Octets of all slots of the event page. */
export const XENSND_IN_RING_SIZE: number = XENSND_EVENT_PAGE_SIZE - XENSND_IN_RING_OFFS;
/** Slots of the event page. */
export const XENSND_IN_RING_LEN: number = XENSND_IN_RING_SIZE / 64;

/** Octets of every request, response and event: `sizeof(struct xensnd_req)`. */
export const PACKET_SIZE = 64;
