/** The sandbox's cards: test payment methods by Stripe's names (docs.stripe.com/testing). No card has a number here. */
export const CARDS: { group: string; cards: { method: string; name: string }[] }[] = [
  {
    group: "Cards that pay",
    cards: [
      { method: "pm_card_visa", name: "Visa" },
      { method: "pm_card_mastercard", name: "Mastercard" },
      { method: "pm_card_amex", name: "American Express" },
      { method: "pm_card_visa_debit", name: "Visa debit" },
    ],
  },
  {
    group: "Cards that are declined",
    cards: [
      { method: "pm_card_visa_chargeDeclinedInsufficientFunds", name: "Visa, insufficient funds" },
      { method: "pm_card_mastercard_chargeDeclinedExpiredCard", name: "Mastercard, expired" },
      { method: "pm_card_visa_chargeDeclinedLostCard", name: "Visa, reported lost" },
      { method: "pm_card_amex_chargeDeclined", name: "American Express, declined" },
    ],
  },
  {
    group: "A gateway in trouble",
    cards: [
      { method: "pm_card_visa_gatewaySlow", name: "Visa, slow gateway" },
      { method: "pm_card_visa_gatewayUnavailableTwice", name: "Visa, gateway down twice" },
      { method: "pm_card_visa_gatewayLosesAnswer", name: "Visa, answer lost" },
    ],
  },
];

export const cardName = (method: string) =>
  CARDS.flatMap(({ cards }) => cards).find((card) => card.method === method)?.name ?? method;
