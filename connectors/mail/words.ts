/** What mails say, in each language. Pure text: what is put in is escaped by whoever renders. */
import type { MailFacts, MailTemplate } from './render.ts'

export const mailLanguages = ['en', 'ko'] as const

export type MailLanguage = (typeof mailLanguages)[number]

/** What one mail says, from top to bottom. */
export interface Wording {
  readonly subject: string
  readonly heading: string
  readonly paragraphs: readonly string[]
  /** Name of the line with the amount. */
  readonly total?: string | undefined
}

/** How the language writes what facts have. */
export interface Written {
  readonly amount: string
  readonly at: string
  readonly expires: string
}

type Words = (facts: MailFacts, written: Written) => Wording

export interface Language {
  /** BCP 47. */
  readonly tag: string
  readonly greeting: string
  readonly farewell: (shop: string) => string
  readonly automatic: string
  readonly quantity: (count: number) => string
  readonly templates: Readonly<Record<MailTemplate, Words>>
}

const en: Language = {
  tag: 'en-GB',
  greeting: 'Hello,',
  farewell: (shop) => `Your ${shop} team`,
  automatic: 'This mail was sent automatically; nobody reads answers to it.',
  quantity: (count) => `${count} ×`,
  templates: {
    'order-completed': ({ orderId }, { at }) => ({
      subject: `Your order ${orderId}`,
      heading: 'Thank you for your order',
      paragraphs: [`Your order ${orderId} went on its way on ${at}.`],
      total: 'Paid',
    }),
    'order-failed': ({ orderId, step, refunded }) => ({
      subject: `Your order ${orderId} could not be completed`,
      heading: 'We are sorry',
      paragraphs: [
        `Your order ${orderId} could not be completed: ${EN_REASONS[step] ?? 'something went wrong on our side'}.`,
        refunded
          ? 'What you paid goes back the way it came.'
          : 'You were not charged. Coupons and points are yours again.',
      ],
    }),
    refund: ({ orderId, returnId }, { amount, at }) => ({
      subject: `${amount} for your order ${orderId}`,
      heading: 'Your money is on its way back',
      paragraphs: [
        returnId === undefined
          ? `Your order ${orderId} was cancelled on ${at}.`
          : `What you sent back of your order ${orderId} arrived (return ${returnId}).`,
        `${amount} go back the way they came; your bank may take a few days.`,
      ],
      total: 'Refund',
    }),
    'coupon-issued': ({ couponId, expiresAt }, { expires }) => ({
      subject: `Your coupon ${couponId}`,
      heading: 'A coupon for you',
      paragraphs: [
        `The coupon ${couponId} is in your wallet.`,
        expiresAt === undefined ? 'It does not expire.' : `It can be used until ${expires}.`,
      ],
    }),
  },
}

const EN_REASONS: Readonly<Record<string, string>> = {
  stock: 'something of it is sold out',
  points: 'there were not enough points',
  coupon: 'the coupon could not be used',
  payment: 'it was not paid',
  delivery: 'it could not be delivered',
}

const ko: Language = {
  tag: 'ko-KR',
  greeting: '안녕하세요, 고객님.',
  farewell: (shop) => `${shop} 드림`,
  automatic: '본 메일은 발신 전용이므로 회신하실 수 없습니다.',
  quantity: (count) => `${count}개`,
  templates: {
    'order-completed': ({ orderId }, { at }) => ({
      subject: `주문 ${orderId} 확인 안내`,
      heading: '주문해 주셔서 감사합니다',
      paragraphs: [`주문 ${orderId}의 상품이 ${at}에 발송되었습니다.`],
      total: '결제 금액',
    }),
    'order-failed': ({ orderId, step, refunded }) => ({
      subject: `주문 ${orderId} 처리 실패 안내`,
      heading: '죄송합니다',
      paragraphs: [
        `주문 ${orderId}을(를) 완료하지 못했습니다. 사유: ${KO_REASONS[step] ?? '시스템 오류'}`,
        refunded
          ? '결제하신 금액은 결제하신 수단으로 환불됩니다.'
          : '결제된 금액은 없으며, 쿠폰과 포인트는 다시 사용하실 수 있습니다.',
      ],
    }),
    refund: ({ orderId, returnId }, { amount, at }) => ({
      subject: `주문 ${orderId} 환불 안내 (${amount})`,
      heading: '환불이 처리되었습니다',
      paragraphs: [
        returnId === undefined
          ? `주문 ${orderId}이(가) ${at}에 취소되었습니다.`
          : `주문 ${orderId}의 반품이 접수되었습니다 (반품 번호 ${returnId}).`,
        `${amount}이 결제하신 수단으로 환불됩니다. 은행에 따라 며칠이 걸릴 수 있습니다.`,
      ],
      total: '환불 금액',
    }),
    'coupon-issued': ({ couponId, expiresAt }, { expires }) => ({
      subject: `쿠폰 ${couponId} 발급 안내`,
      heading: '쿠폰이 발급되었습니다',
      paragraphs: [
        `쿠폰 ${couponId}이(가) 쿠폰함에 등록되었습니다.`,
        expiresAt === undefined ? '유효 기간이 없습니다.' : `${expires}까지 사용하실 수 있습니다.`,
      ],
    }),
  },
}

const KO_REASONS: Readonly<Record<string, string>> = {
  stock: '재고 부족',
  points: '포인트 부족',
  coupon: '쿠폰 사용 불가',
  payment: '결제 미완료',
  delivery: '배송 불가',
}

export const languages: Readonly<Record<MailLanguage, Language>> = { en, ko }

/** The language of a locale such as `ko-KR`; `otherwise` where it is none of these. */
export function languageOf(locale: string | undefined, otherwise: MailLanguage): MailLanguage {
  const [primary] = (locale ?? '').toLowerCase().split(/[-_]/, 1)
  return mailLanguages.find((language) => language === primary) ?? otherwise
}
