import { Button } from "react-aria-components";
import css from "./customer.module.css";
import { MOST_OF_A_DISH } from "./basket";

/** How many of a dish, with a button for one less and one for one more. */
export function Quantity({ of, value, onChange }: { of: string; value: number; onChange: (value: number) => void }) {
  return (
    <div className={css.stepper} role="group" aria-label={`${of}: how many`}>
      <Button aria-label={`One ${of} less`} onPress={() => onChange(value - 1)}>
        −
      </Button>
      <span className="num" aria-live="polite">
        {value}
      </span>
      <Button aria-label={`One ${of} more`} isDisabled={value >= MOST_OF_A_DISH} onPress={() => onChange(value + 1)}>
        +
      </Button>
    </div>
  );
}
