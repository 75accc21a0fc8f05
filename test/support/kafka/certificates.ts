/** A certificate authority, a broker's certificate and a client's, made by the JDK's keytool. */
import { join } from 'node:path'
import { runProgram } from '../../../cli/local-cluster/run-program.ts'
import { ask } from './oracle-client.ts'

const TIMEOUT_MS = 60_000
/** Of files that are gone with the test. */
const PASSWORD = 'of-a-test'

export interface Certificates {
  /** PEM. */
  readonly ca: string
  /** PEM; what a broker that asks for a client's certificate accepts. */
  readonly client: { readonly cert: string; readonly key: string }
  /** PKCS12 files as Kafka reads them. */
  readonly brokerKeys: string
  readonly trusted: string
  readonly password: string
}

/** `names` are those that the broker's certificate has, as keytool writes them: `ip:127.0.0.1`. */
export async function makeCertificates(
  java: string,
  directory: string,
  names: readonly string[],
): Promise<Certificates> {
  const keytool = (...args: string[]) =>
    runProgram(java.replace(/java$/, 'keytool'), args, { cwd: directory, timeoutMs: TIMEOUT_MS })
  const store = (name: string) => ['-keystore', `${name}.p12`, '-storepass', PASSWORD, '-alias', name]
  const generate = (name: string, ...more: string[]) =>
    keytool(
      '-genkeypair',
      ...store(name),
      '-dname',
      `CN=${name}`,
      '-keyalg',
      'EC',
      '-validity',
      '10',
      ...more,
    )

  /** A key pair whose certificate the authority has signed. */
  const signed = async (name: string, ...extensions: string[]): Promise<string> => {
    await generate(name)
    await keytool('-certreq', ...store(name), '-file', `${name}.csr`)
    const files = ['-infile', `${name}.csr`, '-outfile', `${name}.pem`]
    await keytool('-gencert', '-rfc', ...store('ca'), '-validity', '10', ...files, ...extensions)
    await trust('ca', name)
    await keytool('-importcert', '-noprompt', ...store(name), '-file', `${name}.pem`)
    return pem(name)
  }
  const trust = (alias: string, name: string) => {
    const into = ['-keystore', `${name}.p12`, '-storepass', PASSWORD]
    return keytool('-importcert', '-noprompt', ...into, '-alias', alias, '-file', `${alias}.pem`)
  }
  const pem = async (name: string) => (await keytool('-exportcert', '-rfc', ...store(name))).stdout

  await generate('ca', '-ext', 'bc:c')
  await keytool('-exportcert', '-rfc', ...store('ca'), '-file', 'ca.pem')
  const [ca, cert] = await Promise.all([
    pem('ca'),
    signed('client'),
    signed('broker', '-ext', `san=${names.join(',')}`),
    trust('ca', 'trusted'),
  ])
  const file = join(directory, 'client.p12')
  const { done: key } = await ask('privateKey', { file, alias: 'client', password: PASSWORD })
  return {
    ca,
    client: { cert, key: key as string },
    brokerKeys: join(directory, 'broker.p12'),
    trusted: join(directory, 'trusted.p12'),
    password: PASSWORD,
  }
}
