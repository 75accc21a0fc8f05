/** Names and addresses of this machine only. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** @param host a name or address, IPv6 with or without brackets */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase()
  if (name === 'localhost' || name.endsWith('.localhost')) return true
  const address = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name
  if (isIPv4(address)) return loopback.check(address)
  return isIPv6(address) && loopback.check(address, 'ipv6')
}

/** The host of a `Host` header, without the port. */
export function hostnameOf(header: string): string {
  const port = /:\d{0,5}$/.exec(header)
  return port === null || header.endsWith(']') ? header : header.slice(0, port.index)
}
