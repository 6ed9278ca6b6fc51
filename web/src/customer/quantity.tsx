import { Button, Group, Input, NumberField } from "react-aria-components";
import css from "./customer.module.css";
import { MOST_OF_A_DISH } from "./basket";

/** How many of a dish: typed, or by a button for one less and one for one more. */
export function Quantity({ of, value, onChange }: { of: string; value: number; onChange: (value: number) => void }) {
  return (
    // Enter takes the number; it does not send the form around it.
    <div onKeyDownCapture={(event) => event.key === "Enter" && event.target instanceof HTMLInputElement && event.preventDefault()}>
      <NumberField
        aria-label={`${of}: how many`}
        decrementAriaLabel={`One ${of} less`}
        incrementAriaLabel={`One ${of} more`}
        value={value}
        // Nothing is not none, and half a dish is none: it stays as it was. So a fraction can be typed: without its point, 2.5 would be 25.
        onChange={(next) => Number.isInteger(next) && onChange(next)}
        minValue={0}
        maxValue={MOST_OF_A_DISH}
        isWheelDisabled
      >
        <Group className={css.stepper}>
          <Button slot="decrement">−</Button>
          <Input className="num" inputMode="numeric" />
          <Button slot="increment">+</Button>
        </Group>
      </NumberField>
    </div>
  );
}
