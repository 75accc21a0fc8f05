/** The pipelines as data, with the stores that queries read. Nothing here starts anything. */
export { catalog, productStore } from './catalog.ts'
export {
  campaignStore,
  claimStore,
  commandStore,
  couponIssuance,
  counterStore,
  requestStore,
  shardPartition,
} from './coupon-issuance.ts'
export { couponWallet, walletStore } from './coupon-wallet.ts'
export { answerStore, sentinel, SENTINEL, type SentinelOptions } from './sentinel.ts'
export { bestSellers, type BestSellerOptions, type BestSellers } from './best-sellers.ts'
export { type OrderOptions, orders, orderStore } from './orders.ts'
