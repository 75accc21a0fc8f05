/** Keeps the shop's products as they were last described. */
import type { ProductCatalog } from '../../schemas/index.ts'
import type { KeyValueStore } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { type Fault, idFault, keyFault } from '../ids.ts'

export interface CatalogContext {
  readonly stores: { readonly products: KeyValueStore<string, ProductCatalog> }
  deadLetter(reason: string, message: string): void
}

/** A value replaces the product, null removes it. */
export function keepProduct(
  record: StreamRecord<string, ProductCatalog | null>,
  context: CatalogContext,
): void {
  const { key: productId, value: product } = record
  const fault = product === null ? idFault('productId', productId) : productFault(productId, product)
  const { products } = context.stores
  if (fault !== undefined) context.deadLetter(fault.reason, fault.message)
  else if (product === null) products.delete(productId)
  else products.put(productId, product)
}

function productFault(key: string, { productId, price }: ProductCatalog): Fault | undefined {
  if (price < 0) return { reason: 'InvalidPrice', message: 'the price is negative' }
  return keyFault(key, 'productId', productId)
}
