/** Keeps each user's cart as it was last told. */
import type { CartChanged } from '../../schemas/index.ts'
import type { KeyValueStore } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { type Fault, idFault, keyFault } from '../ids.ts'

/** Products in a cart at most. */
export const MAX_CART_ITEMS = 200

export interface CartContext {
  readonly stores: { readonly carts: KeyValueStore<string, CartChanged> }
  deadLetter(reason: string, message: string): void
}

/** An empty cart is none. */
export function keepCart(
  { key: userId, value: cart }: StreamRecord<string, CartChanged>,
  context: CartContext,
): void {
  const fault = keyFault(userId, 'userId', cart.userId) ?? itemsFault(cart)
  const { carts } = context.stores
  if (fault !== undefined) context.deadLetter(fault.reason, fault.message)
  else if (cart.items.length === 0) carts.delete(userId)
  else carts.put(userId, cart)
}

function itemsFault({ items }: CartChanged): Fault | undefined {
  const products = new Set(items.map(({ productId }) => productId))
  if (items.length > MAX_CART_ITEMS || products.size < items.length) {
    return { reason: 'InvalidLine', message: `${items.length} items of ${products.size} products` }
  }
  for (const { productId, quantity } of items) {
    const wrongId = idFault('productId', productId)
    if (wrongId !== undefined) return wrongId
    if (quantity < 1) return { reason: 'InvalidLine', message: `quantity ${quantity}` }
  }
  return undefined
}
