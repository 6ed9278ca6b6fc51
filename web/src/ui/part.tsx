/** Parts of the console that come when they are asked for, or do not come, or fail: the rest of the page stands. */
import { useQueryClient } from "@tanstack/react-query";
import { type ComponentType, lazy, type ReactNode, Suspense } from "react";
import { ErrorBoundary } from "react-error-boundary";
import { Actions, Button, Loading, Note, NotYet, Page } from "./kit";
import { useOnline } from "./online";

class NotLoaded extends Error {}

const notLoaded = new Set<() => void>();

/**
 * A component whose code is loaded when it is shown, within a `Part`.
 *
 * React keeps what an import came to, a failure too. So it is imported anew once somebody tries again.
 */
export function later<Props extends object>(load: () => Promise<{ default: ComponentType<Props> }>): ComponentType<Props> {
  let Loaded: ComponentType<Props>;
  const begin = () => {
    Loaded = lazy(() =>
      load().catch((cause: unknown) => {
        notLoaded.add(begin);
        throw new NotLoaded("a part of the console was not loaded", { cause });
      }),
    ) as ComponentType<Props>;
  };
  begin();
  return (props) => <Loaded {...props} />;
}

function beginAgain() {
  notLoaded.forEach((begin) => begin());
  notLoaded.clear();
}

/**
 * Where something can fail without taking the rest of the page with it.
 *
 * @param of it is tried anew when this changes, such as the address of a page; and when the network is back.
 * @param title of the page that stands for it if it fails; without, it is a part of a page.
 */
export function Part({ what, rows, of = "", title, children }: { what: string; rows?: number; of?: string; title?: string; children: ReactNode }) {
  const online = useOnline();
  const queries = useQueryClient();
  return (
    <ErrorBoundary
      resetKeys={[of, online]}
      onReset={() => {
        beginAgain();
        // It may have failed at what had been read: that is read anew.
        queries.removeQueries({ type: "inactive" });
      }}
      fallbackRender={({ error, resetErrorBoundary }) => {
        const failure = <Failure what={what} error={error} online={online} again={() => resetErrorBoundary()} />;
        return title ? <Page title={title}>{failure}</Page> : failure;
      }}
    >
      <Suspense fallback={<Loading what={what} rows={rows} />}>{children}</Suspense>
    </ErrorBoundary>
  );
}

function Failure({ what, error, online, again }: { what: string; error: unknown; online: boolean; again: () => void }) {
  if (!(error instanceof NotLoaded)) {
    return (
      <Note tone="bad" title="Something is wrong with the console">
        <p>It cannot show {what}. That is a defect of the console, not of an order.</p>
        <Button onPress={again}>Try again</Button>
      </Note>
    );
  }
  if (!online) return <NotYet />;
  return (
    <Note tone="bad" title={`The console could not load ${what}`}>
      {/* A newer version may stand in its place; and a browser of before 2026 asks no more for what failed once (whatwg/html, pull request 10327). */}
      <p>If it does not come either when you try again, load the console anew. The basket stays; you sign in again.</p>
      <Actions>
        <Button look="primary" onPress={again}>
          Try again
        </Button>
        <Button onPress={() => location.reload()}>Load the console anew</Button>
      </Actions>
    </Note>
  );
}
