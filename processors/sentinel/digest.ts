/**
 * Short names of contents: equal contents have equal digests, so a difference proves a difference. That two contents
 * have the same by chance hides one violation in 2⁵³ and makes none.
 */

/** Two multiply-and-xor hashes over the UTF-16 units, each 32 bits; 53 of them are used. */
export function hash53(text: string): number {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x9e3779b1)
    b = Math.imul(b ^ unit, 0x5f356495)
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return (b & 0x1f_ffff) * 0x1_0000_0000 + (a >>> 0)
}

export function digestOf(parts: readonly unknown[]): string {
  return hash53(JSON.stringify(parts)).toString(36)
}

/** Whether an id is among the one in `oneIn` that are watched: always the same ones. */
export function isWatched(id: string, oneIn: number): boolean {
  return oneIn === 1 || hash53(id) % oneIn === 0
}
