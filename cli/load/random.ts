/** Chance from a seed: the same seed gives the same numbers, on every machine. */

export class SeededRandom {
  #a: number
  #b: number
  #c: number
  #counter: number

  /** @param seed any integer */
  constructor(seed: number) {
    this.#a = 0x9e3779b9
    this.#b = Math.floor(seed / 0x1_0000_0000) | 0
    this.#c = seed | 0
    this.#counter = 1
    // sfc32's own advice: the first dozen outputs still show the seed.
    for (let i = 0; i < 12; i++) this.next()
  }

  /** 0 up to, not including, 1. sfc32 (Chris Doty-Humphrey, PractRand). */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return (sum >>> 0) / 0x1_0000_0000
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** Time to the next arrival of a Poisson process, in the unit of `mean`. */
  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean
  }
}
