/** How this process reaches the brokers, by configuration. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { type Config, ConfigError } from '../../config/index.ts'
import type { ConnectionOptions, SaslOptions, TlsOptions } from '../../transports/kafka/index.ts'

type KafkaConfig = Config['kafka']

/** Reads the certificates; throws a `ConfigError` for a file that cannot be read. */
export function connectionOptions({ kafka }: Config, clientId: string): ConnectionOptions {
  const tls = kafka.tls ? tlsOptions(kafka) : undefined
  const sasl = saslOptions(kafka)
  return {
    brokers: kafka.brokers,
    clientId,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  }
}

function tlsOptions(kafka: KafkaConfig): TlsOptions {
  const files = { ca: 'tlsCaFile', cert: 'tlsCertFile', key: 'tlsKeyFile' } as const
  const given = Object.entries(files).flatMap(([name, key]) => {
    const path = kafka[key]
    return path === undefined ? [] : [[name, readGiven(`kafka.${key}`, path)] as const]
  })
  return Object.fromEntries(given)
}

function readGiven(key: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new ConfigError([{ key, origin: 'configuration', message: (error as Error).message }])
  }
}

/** What each mechanism needs is there: the configuration was checked. */
function saslOptions(kafka: KafkaConfig): SaslOptions | undefined {
  const { saslMechanism, saslUsername: username = '', saslPassword, oauthTokenFile = '' } = kafka
  const password = saslPassword?.reveal() ?? ''
  switch (saslMechanism) {
    case 'none':
      return undefined
    case 'plain':
      return { mechanism: 'PLAIN', username, password, allowLoopbackWithoutTls: true }
    case 'scram-sha-256':
      return { mechanism: 'SCRAM-SHA-256', username, password }
    case 'scram-sha-512':
      return { mechanism: 'SCRAM-SHA-512', username, password }
    case 'oauthbearer': {
      // Read again for each connection: whoever renews the token writes the file.
      const token = async () => ({ value: (await readFile(oauthTokenFile, 'utf8')).trim() })
      return { mechanism: 'OAUTHBEARER', token, allowLoopbackWithoutTls: true }
    }
  }
}
