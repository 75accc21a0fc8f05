/**
 * Where the fields of a record batch lie (message format 2, the only one since Kafka 0.11). The checksum covers all
 * bytes from the attributes on: not the base offset and the leader epoch, which the broker fills in.
 */
export const BASE_OFFSET_AT = 0
/** Bytes after this field. */
export const LENGTH_AT = 8
export const LEADER_EPOCH_AT = 12
export const MAGIC_AT = 16
export const CRC_AT = 17
export const ATTRIBUTES_AT = 21
export const LAST_OFFSET_DELTA_AT = 23
export const BASE_TIMESTAMP_AT = 27
export const MAX_TIMESTAMP_AT = 35
export const PRODUCER_ID_AT = 43
export const PRODUCER_EPOCH_AT = 51
export const BASE_SEQUENCE_AT = 53
export const RECORD_COUNT_AT = 57
export const RECORDS_AT = 61

/** The batch's length field counts from here. */
export const LENGTH_FROM = 12

export const MAGIC = 2

export const CODEC_MASK = 0x07
export const LOG_APPEND_TIME = 0x08
export const TRANSACTIONAL = 0x10
export const CONTROL = 0x20

/** Length, attributes, two deltas, key length, value length, header count: one byte each. */
export const RECORD_BYTES_MIN = 7
