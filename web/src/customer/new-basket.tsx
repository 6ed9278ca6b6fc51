import { Ask, Button } from "../ui/kit";
import { basket } from "./basket";

/** Asks before what is in the basket is taken out. */
export function NewBasket({ open, onClose, onBegin }: { open: boolean; onClose: () => void; onBegin: () => void }) {
  const inBasket = basket.use();
  return (
    <Ask
      open={open}
      onClose={onClose}
      title="Begin a new basket?"
      actions={
        <>
          <Button onPress={onClose}>Keep the old one</Button>
          <Button
            look="primary"
            onPress={() => {
              onBegin();
              onClose();
            }}
          >
            Begin a new one
          </Button>
        </>
      }
    >
      <p>An order is made of one basket, of one restaurant. What you have from {inBasket?.restaurantName} would be taken out.</p>
    </Ask>
  );
}
