/**
 * SASL OAUTHBEARER (RFC 7628) as messages.
 *
 * kafkajs has the mechanism too, but takes a refusal for success: the broker says no in a message of the exchange, not
 * with an error code, and closes the connection at whatever comes next.
 */
import type { SaslProviderOptions } from 'kafkajs/src/network/connection.js'
import { ClusterError } from './errors.ts'
import type { OAuthToken } from './security.ts'

const SEPARATOR = '\u0001'
/** Ends a message of the exchange, so neither a token nor an extension may have it. */
const PRINTABLE = /^[\x20-\x7e]+$/
const EXTENSION_NAME = /^[A-Za-z]+$/
/** Before every message, both ways. */
const LENGTH_BYTES = 4

/** Shows the broker a token. Throws `CONNECTION_FAILED` when there is none, else an `Error` with the broker's words. */
export async function authenticateOAuthBearer(
  token: () => Promise<OAuthToken>,
  { saslAuthenticate }: SaslProviderOptions,
): Promise<void> {
  const exchange = (message: string): Promise<string> =>
    saslAuthenticate({
      request: { encode: () => withLength(message) },
      response: {
        decode: async (bytes) => bytes.subarray(LENGTH_BYTES),
        parse: async (bytes) => bytes.toString(),
      },
    })
  const refusal = await exchange(firstMessage(await obtain(token)))
  if (refusal === '') return
  // Ends the exchange on the broker's side; what it says to this adds nothing.
  await exchange(SEPARATOR).catch(() => {})
  throw new Error(`the token was refused: ${refusal}`)
}

async function obtain(token: () => Promise<OAuthToken>): Promise<OAuthToken> {
  try {
    return await token()
  } catch (cause) {
    throw new ClusterError('CONNECTION_FAILED', 'the function that gets the token failed', { cause })
  }
}

function firstMessage({ value, extensions = {} }: OAuthToken): string {
  if (!PRINTABLE.test(value)) throw new Error('the token is empty or has characters that no token has')
  const fields = [`auth=Bearer ${value}`]
  for (const [name, extension] of Object.entries(extensions)) {
    if (!EXTENSION_NAME.test(name) || name === 'auth' || !PRINTABLE.test(extension)) {
      throw new Error(`the token's extension ${JSON.stringify(name)} cannot be sent`)
    }
    fields.push(`${name}=${extension}`)
  }
  return `n,,${SEPARATOR}${fields.join(SEPARATOR)}${SEPARATOR}${SEPARATOR}`
}

function withLength(message: string): Buffer {
  const bytes = Buffer.alloc(LENGTH_BYTES + Buffer.byteLength(message))
  bytes.writeInt32BE(bytes.length - LENGTH_BYTES)
  bytes.write(message, LENGTH_BYTES)
  return bytes
}
