/** What personal data is sealed with. */
import Type from 'typebox'
import { bytes, section } from './kinds.ts'

const KEY = '(?:[A-Za-z0-9+/]{43}=|[0-9a-fA-F]{64})'

export const privacy = Type.Object(
  {
    masterKeys: Type.Optional(
      Type.String({
        pattern: `^${KEY}(?:,${KEY}){0,15}$`,
        maxLength: 4096,
        secret: true,
        expected: '1 to 16 keys of 32 bytes in base64 or hexadecimal, with commas between',
        env: 'MILLRACE_PRIVACY_MASTER_KEYS',
        description:
          'Keys that wrap the keys of users; the first wraps, all unwrap. Where there is none, an embedded shop on a loopback address keeps one in its data directory; any other takes no personal data.',
      }),
    ),
    keyCopyBytes: bytes(
      'MILLRACE_PRIVACY_KEY_COPY_BYTES',
      256 * 1024 * 1024,
      "Memory for keys of users whose tasks run in other processes, about 350 bytes each. With too little, what is sealed for the others waits, and the connector's target counts as away.",
    ),
  },
  section,
)
