/** The pieces that pages are made of: React Aria's behaviour, the tokens' looks. */
import { type ReactNode, type RefAttributes, type RefObject, useEffect, useId, useRef, useState } from "react";
import {
  Button as AriaButton,
  type ButtonProps,
  Dialog,
  FieldError,
  Heading,
  Input,
  Label,
  Modal,
  ModalOverlay,
  Radio,
  RadioGroup,
  Tab,
  TabList,
  TabPanel,
  Tabs,
  Text,
  TextArea,
  TextField,
} from "react-aria-components";
import { Link, type LinkProps } from "react-router";
import type { OrderStatus } from "../api/clients";
import { Problem, signInNeeded } from "../api/problems";
import { signIn } from "../auth/session";
import { useFocusComesBack } from "./focus";
import css from "./kit.module.css";
import { useOnline } from "./online";
import { ENDS, plural, STATUS, span } from "./words";

type Look = "primary" | "danger" | "plain";

const join = (...names: (string | false | undefined)[]) => names.filter(Boolean).join(" ");

export function Button({ look, wide, ...rest }: ButtonProps & RefAttributes<HTMLButtonElement> & { look?: Look; wide?: boolean }) {
  return <AriaButton {...rest} className={join(css.button, look && css[look], wide && css.wide)} />;
}

export function LinkButton({ look, wide, ...rest }: LinkProps & { look?: Look; wide?: boolean }) {
  return <Link {...rest} className={join(css.button, look && css[look], wide && css.wide)} />;
}

/** A page: its heading has the focus when one comes to it, so that a screen reader says where one is. */
export function Page({ title, lead, aside, children }: { title: string; lead?: ReactNode; aside?: ReactNode; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Tiffin`;
  }, [title]);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <div className={css.page}>
      <div className={css.head}>
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {lead && <p className={css.lead}>{lead}</p>}
        </div>
        {aside}
      </div>
      {children}
    </div>
  );
}

export function Card({ children, label }: { children: ReactNode; label?: string }) {
  return (
    <section className={css.card} aria-label={label}>
      {children}
    </section>
  );
}

export function Actions({ children }: { children: ReactNode }) {
  return <div className={css.actions}>{children}</div>;
}

type Tone = "bad" | "good" | "warn";

/** Something to know. What is bad is said at once; the rest, when there is time. */
export function Note({ tone, title, children }: { tone?: Tone; title?: ReactNode; children?: ReactNode }) {
  return (
    <div className={join(css.note, tone && css[tone])} role={tone === "bad" ? "alert" : "status"}>
      {title && <strong>{title}</strong>}
      {children}
    </div>
  );
}

/** What is not there for want of a network. */
export function NotYet() {
  return (
    <Note tone="warn" title="Not loaded yet">
      You are offline. It comes by itself once the network is back.
    </Note>
  );
}

/** What a request was refused with, in the API's own words; or that one has to sign in again. That there was no network is said while there is none. */
export function ProblemNote({ error, retry }: { error: unknown; retry?: () => void }) {
  const online = useOnline();
  const problem =
    error instanceof Problem ? error : new Problem("unexpected", "Something went wrong", error instanceof Error ? error.message : String(error));
  if (problem.kind === "sign-in-needed") {
    return (
      <Note tone="warn" title={problem.title}>
        <p>{problem.detail}</p>
        <Button look="primary" onPress={() => void signIn()}>
          Sign in again
        </Button>
      </Note>
    );
  }
  if (problem.kind === "not-sent" && online) return null;
  const errors = Array.isArray(problem.more.errors) ? (problem.more.errors as { pointer: string; reason: string }[]) : [];
  return (
    <Note tone="bad" title={problem.title}>
      <p>{problem.detail}</p>
      {errors.length > 0 && (
        <ul>
          {errors.map(({ pointer, reason }) => (
            <li key={pointer + reason}>
              <code>{pointer}</code>: {reason}
            </li>
          ))}
        </ul>
      )}
      {typeof problem.more.request_id === "string" && <p className={css.hint}>Tell support: {problem.more.request_id}</p>}
      {problem.retryAfter && <p className={css.hint}>It may do in {span(problem.retryAfter * 1000)}.</p>}
      {retry && <Button onPress={retry}>Try again</Button>}
    </Note>
  );
}

/** A line about what was just done, or why it was not, at the lower edge of the window, whatever was scrolled to. */
export function Said({ text, bad }: { text: string; bad: boolean }) {
  return (
    <p className={join(css.said, bad && css.failed)} role="status">
      {text}
    </p>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={css.empty}>
      <svg viewBox="0 0 32 32" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden>
        <path d="M12 8.5a4 4 0 0 1 8 0" />
        <rect x="8" y="9.5" width="16" height="5" rx="1.5" />
        <rect x="8" y="14.5" width="16" height="5" rx="1.5" />
        <path d="M8 19.5h16v2.5a2.5 2.5 0 0 1-2.5 2.5h-11A2.5 2.5 0 0 1 8 22z" />
      </svg>
      <strong>{title}</strong>
      {children}
    </div>
  );
}

export function Loading({ what, rows = 3 }: { what: string; rows?: number }) {
  return (
    <div className={css.skeleton} role="status">
      <span className="visually-hidden">Loading {what}</span>
      {Array.from({ length: rows }, (_, row) => (
        <i key={row} aria-hidden />
      ))}
    </div>
  );
}

interface Read<T> {
  data: T | undefined;
  error: Error | null;
  refetch: () => unknown;
  isEnabled: boolean;
}

/**
 * What a query came to: loading, refused, or there. What was there stays, with a word that it may be old.
 *
 * @param otherwise where to go instead from what is refused.
 */
export function Shown<T>({ query, what, otherwise, children }: { query: Read<T>; what: string; otherwise?: ReactNode; children: (data: T) => ReactNode }) {
  const online = useOnline();
  if (query.data === undefined) {
    if (!query.error && !query.isEnabled) return <ProblemNote error={signInNeeded()} />;
    if (!query.error) return online ? <Loading what={what} /> : <NotYet />;
    // What does not exist does not come of asking once more.
    const mayCome = !(query.error instanceof Problem && query.error.status === 404);
    return (
      <>
        <ProblemNote error={query.error} retry={mayCome ? () => void query.refetch() : undefined} />
        {otherwise && <Actions>{otherwise}</Actions>}
      </>
    );
  }
  return (
    <>
      {query.error && <Note tone="warn" title="This may be old">It could not be read again: {query.error.message}</Note>}
      {children(query.data)}
    </>
  );
}

/** Given the token of a page that follows: the way there. */
export type Onward = (next: string | null | undefined) => ReactNode;

const toWhatCame = (page: HTMLElement | null) => page?.focus({ preventScroll: true });

/**
 * A list, page by page.
 *
 * @param onward what the button to the following page says.
 * @param children makes a page of its token, null for the first.
 */
export function Pages({ onward, children }: { onward: string; children: (token: string | null, more: Onward) => ReactNode }) {
  // The tokens of the pages so far: each page knows only the one behind it.
  const [tokens, setTokens] = useState<(string | null)[]>([null]);
  return tokens.map((token, index) => (
    <div key={token} className={css.page} tabIndex={-1} ref={token === null ? undefined : toWhatCame}>
      {children(
        token,
        (next) =>
          next &&
          index === tokens.length - 1 && (
            <Actions>
              <Button onPress={() => setTokens([...tokens, next])}>{onward}</Button>
            </Actions>
          ),
      )}
    </div>
  ));
}

/** What a list does not show, so that nobody takes it for all there is. */
export function LeftOut({ unreadable, more, children }: { unreadable: number | undefined; more: boolean; children?: ReactNode }) {
  return (
    <>
      {!!unreadable && <Note tone="warn" title={`${plural(unreadable, "order")} cannot be read`}>They are not in the list: somebody must look at what is stored of them.</Note>}
      {more && <Note tone="warn" title="There are more than these">{children}</Note>}
    </>
  );
}

export function Status({ status }: { status: OrderStatus }) {
  const look = status === "DELIVERED" ? css.done : ENDS.has(status) ? css.dead : css.open;
  return <span className={join(css.badge, look)}>{STATUS[status]}</span>;
}

/** How much of a span of time is gone. */
export function TimeBar({ label, from, until, now }: { label: string; from: number; until: number; now: number }) {
  const part = Math.min(1, Math.max(0, (now - from) / (until - from)));
  return (
    <div
      className={join(css.bar, part > 0.8 && css.late)}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(part * 100)}
      aria-valuetext={until > now ? `${span(until - now)} left` : "over"}
    >
      <span style={{ width: `${part * 100}%` }} />
    </div>
  );
}

/** Asks before something is done. */
export function Ask({
  open,
  onClose,
  title,
  children,
  actions,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  actions: ReactNode;
}) {
  return (
    <ModalOverlay className={css.overlay} isOpen={open} onOpenChange={(is) => !is && onClose()} isDismissable>
      <Modal className={css.modal}>
        <Dialog className={css.dialog}>
          <Heading slot="title" level={2}>
            {title}
          </Heading>
          {children}
          <div className={css.actions}>{actions}</div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

/**
 * Asks whether to make a move that somebody else may be faster with. It stays then, and says so: whoever answers is told.
 *
 * @param late why it cannot be made any more.
 * @param by the button that asked for it; the focus is there afterwards, or on `on` if it is gone.
 */
export function AskInTime({
  late,
  by,
  on,
  onClose,
  title,
  children,
  action,
}: {
  late: string | null;
  by: Element;
  on: RefObject<HTMLElement | null>;
  onClose: () => void;
  title: string;
  children: ReactNode;
  action: ReactNode;
}) {
  useFocusComesBack(by, on);
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (late) close.current?.focus(); // the other button had it, perhaps, and is gone
  }, [late]);
  return (
    <Ask
      open
      onClose={onClose}
      title={title}
      actions={
        <>
          <Button ref={close} onPress={onClose}>
            {late ? "Close" : "Keep it"}
          </Button>
          {!late && action}
        </>
      }
    >
      {late ? <Note tone="bad">{late}</Note> : children}
    </Ask>
  );
}

interface FieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: string;
  error?: string | null;
  required?: boolean;
  long?: boolean;
  maxLength?: number;
  autoComplete?: string;
  name?: string;
  /** What Enter does, instead of sending the form that the field is in. */
  onEnter?: () => void;
}

export function Field({ label, value, onChange, hint, error, required, long, maxLength, autoComplete, name, onEnter }: FieldProps) {
  return (
    <TextField
      className={css.field}
      value={value}
      onChange={onChange}
      isInvalid={!!error}
      isRequired={required}
      maxLength={maxLength}
      autoComplete={autoComplete}
      name={name}
      validationBehavior="aria"
      onKeyDown={(event) => {
        if (!onEnter || event.key !== "Enter" || event.nativeEvent.isComposing) return;
        event.preventDefault();
        onEnter();
      }}
    >
      <Label>{label}</Label>
      {long ? <TextArea /> : <Input />}
      {hint && (
        <Text slot="description" className={css.hint}>
          {hint}
        </Text>
      )}
      <FieldError className={css.error}>{error}</FieldError>
    </TextField>
  );
}

/** The browser's own list: a phone shows it as its owner is used to. */
export function Choice({
  label,
  value,
  onChange,
  children,
  hint,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  children: ReactNode;
  hint?: string;
}) {
  const id = useId();
  return (
    <div className={css.field}>
      <label htmlFor={id}>{label}</label>
      <select id={id} className={css.select} value={value} onChange={(event) => onChange(event.target.value)} aria-describedby={hint && `${id}-hint`}>
        {children}
      </select>
      {hint && (
        <span id={`${id}-hint`} className={css.hint}>
          {hint}
        </span>
      )}
    </div>
  );
}

export function Radios<Value extends string>({
  label,
  value,
  onChange,
  options,
}: {
  label: string;
  /** Null: none is chosen yet. */
  value: Value | null;
  onChange: (value: Value) => void;
  options: Record<Value, string>;
}) {
  return (
    <RadioGroup className={css.radios} value={value} onChange={(next) => onChange(next as Value)}>
      <Label>{label}</Label>
      {(Object.entries(options) as [Value, string][]).map(([option, text]) => (
        <Radio key={option} value={option} className={css.radio}>
          {text}
        </Radio>
      ))}
    </RadioGroup>
  );
}

export function TabbedPages({ label, tabs }: { label: string; tabs: { id: string; title: ReactNode; content: ReactNode }[] }) {
  return (
    <Tabs className={css.tabs}>
      <TabList aria-label={label} className={css.tablist}>
        {tabs.map(({ id, title }) => (
          <Tab key={id} id={id} className={css.tab}>
            {title}
          </Tab>
        ))}
      </TabList>
      {tabs.map(({ id, content }) => (
        <TabPanel key={id} id={id} className={css.tabpanel}>
          {content}
        </TabPanel>
      ))}
    </Tabs>
  );
}
