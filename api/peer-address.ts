/**
 * Which addresses queries may be passed on to. They come from the group's metadata, which more can write than may be
 * asked: what is not on the list of hosts is not asked.
 */

export class PeerAddresses {
  readonly #hosts: ReadonlySet<string>

  /** @param allow names and IP addresses, each to be met exactly */
  constructor(allow: readonly string[]) {
    this.#hosts = new Set(allow.map(canonicalHost))
  }

  /** @returns the origin to ask; nothing for a host that is not allowed, and for what is no address */
  allowed(address: string): string | undefined {
    const url = parse(address)
    return url !== undefined && this.#hosts.has(canonicalHost(url.hostname)) ? url.origin : undefined
  }
}

/** `scheme://host:port` in one way of writing; nothing for what is not that. */
export function originOf(address: string): string | undefined {
  return parse(address)?.origin
}

/** What is compared is what is connected to: the host as the parser understood it, not as it was written. */
function parse(address: string): URL | undefined {
  const url = URL.parse(address)
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined
  const { username, password, pathname, search, hash } = url
  return `${username}${password}${search}${hash}` === '' && pathname === '/' ? url : undefined
}

function canonicalHost(host: string): string {
  return host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
}
