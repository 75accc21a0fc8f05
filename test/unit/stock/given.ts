/** Commands about stock: order `o1` and 2 pieces of `tea` in line 1, unless told. */
import type {
  StockAdjust,
  StockCommit,
  StockLine,
  StockReserve,
  StockRestore,
} from '../../../schemas/index.ts'

/** `1x2 3x1`: two pieces in line 1, one in line 3. */
export function linesOf(text: string): StockLine[] {
  return text.split(' ').map((line) => {
    const [lineNo, quantity] = line.split('x').map(Number)
    return { lineNo: lineNo ?? 0, quantity: quantity ?? 0 }
  })
}

export function reserve(changes: Partial<StockReserve> = {}): StockReserve {
  return { orderId: 'o1', productId: 'tea', lines: linesOf('1x2'), epoch: 0, ...changes }
}

export function restore(changes: Partial<StockRestore> = {}): StockRestore {
  return { ...reserve(), returnId: null, reason: '', ...changes }
}

export function commit(changes: Partial<StockCommit> = {}): StockCommit {
  return { ...reserve(), reason: '', ...changes }
}

export function adjust(quantity: number, changes: Partial<StockAdjust> = {}): StockAdjust {
  return { adjustId: `a${quantity}`, productId: 'tea', quantity, reason: '', ...changes }
}
