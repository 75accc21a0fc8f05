/**
 * Key codecs: what orders the rows of a store. The byte order of an encoded key is the order of the key.
 */
import { endOfPart, int64At, int64Bytes, terminated, unterminated, utf8Bytes, utf8Text } from './bytes.ts'
import type { KeyCodec } from './serde.ts'
import type { WindowedKey } from './stores.ts'

const string: KeyCodec<string> = { name: 'string', encode: utf8Bytes, decode: utf8Text }

const int64: KeyCodec<number> = {
  name: 'int64',
  fixedLength: 8,
  encode: (key) => int64Bytes(key),
  decode: (bytes) => int64At(bytes),
}

function nameOf({ name = 'custom' }: { readonly name?: string }): string {
  return name
}

type Codecs<T extends readonly unknown[]> = { readonly [I in keyof T]: KeyCodec<T[I]> }

/**
 * Keys of several parts, ordered by the first part, then by the second, and so on. Parts cannot run into each other:
 * ('a', 'bc') and ('ab', 'c') differ, and all rows that share their first parts lie together (`ScanOptions.prefix`).
 */
function tuple<T extends readonly [unknown, unknown, ...unknown[]]>(...parts: Codecs<T>): KeyCodec<T> {
  const codecs: readonly KeyCodec<unknown>[] = parts
  const last = codecs.length - 1

  function encodePart(index: number, part: unknown): string {
    const codec = codecs[index]
    if (codec === undefined) throw new RangeError(`A key of ${codecs.length} parts has no part ${index}`)
    const bytes = codec.encode(part)
    return index === last || codec.fixedLength !== undefined ? bytes : terminated(bytes)
  }

  function prefix(key: readonly unknown[]): string {
    let bytes = ''
    for (let i = 0; i < key.length; i++) bytes += encodePart(i, key[i])
    return bytes
  }

  return {
    name: `tuple(${codecs.map(nameOf).join(',')})`,
    encode(key) {
      if (key.length !== codecs.length) throw new RangeError(`A key needs ${codecs.length} parts`)
      return prefix(key)
    },
    prefix,
    decode(bytes) {
      const key: unknown[] = []
      let start = 0
      for (const codec of codecs.slice(0, -1)) {
        const end = codec.fixedLength === undefined ? endOfPart(bytes, start) : start + codec.fixedLength
        if (end === -1) throw new RangeError('A part of a key has no end')
        const part = bytes.slice(start, end)
        key.push(codec.decode(codec.fixedLength === undefined ? unterminated(part) : part))
        start = codec.fixedLength === undefined ? end + 2 : end
      }
      key.push(codecs[last]?.decode(bytes.slice(start)))
      return key as readonly unknown[] as T
    },
  }
}

/** What all keys of one window begin with. */
export function windowPrefix(window: string, start: number): string {
  return terminated(utf8Bytes(window)) + int64Bytes(start)
}

/** Keys in a window: by window name, then start, then the key. */
function windowed<K>(key: KeyCodec<K>): KeyCodec<WindowedKey<K>> {
  return {
    name: `windowed(${nameOf(key)})`,
    encode: (at) => windowPrefix(at.window, at.start) + key.encode(at.key),
    decode(bytes) {
      const end = endOfPart(bytes, 0)
      if (end === -1) throw new RangeError('A window name has no end')
      return {
        window: utf8Text(unterminated(bytes.slice(0, end))),
        start: int64At(bytes, end + 2),
        key: key.decode(bytes.slice(end + 10)),
      }
    },
  }
}

export const keys = {
  /** Text, in the order of its code points. Refuses lone surrogates with a `TypeError`. */
  string,
  /** Safe integers in numeric order; anything else is refused with a `RangeError`. */
  int64,
  /** Epoch milliseconds; bytes as `int64`. */
  timestamp: int64,
  tuple,
  windowed,
} as const
