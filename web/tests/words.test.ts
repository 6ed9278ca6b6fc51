/** What is said to readers of other locales than the page's. */
import { beforeEach, expect, it, vi } from "vitest";
import { money, sentence, span, took } from "../src/ui/words";

beforeEach(() => {
  const { NumberFormat } = Intl;
  vi.spyOn(Intl, "NumberFormat").mockImplementation(function (locale, options) {
    return new NumberFormat(locale ?? "de-DE", options);
  } as typeof Intl.NumberFormat);
});

it("spans of time are in the language, and by the symbols, of the sentences that they stand in", () => {
  expect([10_760_000, 14 * 60_000, 32_000].map(span)).toEqual(["2 h 59 min", "14 min", "32 s"]);
  expect([5, 4_600].map(took)).toEqual(["5 ms", "4.6 s"]);
});

it("amounts are as their reader writes them", () => {
  expect(money({ amount: 1250, currency: "EUR" })).toMatch(/^12,50\s€$/);
});

it("a sentence ends with one full stop", () => {
  expect([sentence("Given up at 15:00"), sentence("Given up at 3:00 p. m.")]).toEqual(["Given up at 15:00.", "Given up at 3:00 p. m."]);
});
