import { type Query, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { Link, Navigate, NavLink, Route, Routes, useLocation, useNavigate } from "react-router";
import css from "./app.module.css";
import { forgetAnswers } from "./api/conditional";
import { restaurants } from "./api/queries";
import { current, identity, onChange, type Role, signIn, signOut, signOutThere, takeUp, useSession } from "./auth/session";
import { useMoved } from "./config";
import { basket, count, lastPlaced } from "./customer/basket";
import { BasketPage } from "./customer/basket-page";
import { CodesPage } from "./customer/codes-page";
import { MenuPage } from "./customer/menu-page";
import { OrderPage } from "./customer/order-page";
import { OrdersPage } from "./customer/orders-page";
import { RestaurantsPage } from "./customer/restaurants-page";
import { listen, useConnection } from "./live/live";
import { Announcer } from "./ui/announce";
import { Actions, Button, Card, LinkButton, Loading, Note, Page } from "./ui/kit";
import { useOnline } from "./ui/online";
import { later, Part } from "./ui/part";
import { setTheme, type Theme, useTheme } from "./ui/theme";

// A customer's pages come at once; of the others, each comes when it is asked for.
const KitchenPage = later(() => import("./work/kitchen-page"));
const CourierPage = later(() => import("./work/courier-page"));
const BoardPage = later(() => import("./support/board-page"));
const StoryPage = later(() => import("./support/story-page"));
const HowItWorksPage = later(() => import("./teacher/how-it-works-page"));

const HOME: Record<Role, string> = { customer: "/", restaurant: "/kitchen", courier: "/courier", support: "/support" };
const CALLED: Record<Role, string> = { customer: "Customer", restaurant: "Restaurant", courier: "Courier", support: "Support" };

export function App() {
  const queries = useQueryClient();
  useEffect(() => listen(queries), [queries]);
  useEffect(() => {
    // What one person saw is nothing for the next.
    let who = identity(current());
    return onChange(() => {
      if (identity(current()) === who) return;
      who = identity(current());
      forgetAnswers();
      const theirs = { predicate: ({ queryKey }: Query) => !["restaurants", "menu"].includes(String(queryKey[0])) };
      // The page that is open may be for both: then it reads anew.
      if (current().is === "in") void queries.resetQueries(theirs);
      else queries.removeQueries(theirs);
    });
  }, [queries]);
  const { pathname } = useLocation();
  useEffect(() => {
    scrollTo(0, 0);
  }, [pathname]);
  return (
    <>
      <a className={css.skip} href="#main">
        Skip to the page
      </a>
      <Bar />
      <Banners />
      <main id="main" className={css.main}>
        <Part what="the page" of={pathname} title="This page did not come">
          <Routes>
            <Route path="/" element={<Home />} />
            <Route path="/restaurants/:restaurantId" element={<MenuPage key={pathname} />} />
            <Route path="/basket" element={<BasketPage />} />
            <Route path="/orders" element={<For role="customer" element={<OrdersPage />} />} />
            <Route path="/orders/:orderId" element={<For role="customer" element={<OrderPage key={pathname} />} />} />
            <Route path="/codes" element={<For role="customer" element={<CodesPage />} />} />
            <Route path="/kitchen" element={<For role="restaurant" element={<KitchenPage />} />} />
            <Route path="/courier" element={<For role="courier" element={<CourierPage />} />} />
            <Route path="/support" element={<For role="support" element={<BoardPage />} />} />
            <Route path="/support/orders/:orderId" element={<For role="support" element={<StoryPage key={pathname} />} />} />
            <Route path="/how-it-works" element={<HowItWorksPage />} />
            <Route path="/signed-in" element={<SignedIn />} />
            <Route path="*" element={<Nowhere />} />
          </Routes>
        </Part>
      </main>
      <Foot />
      <Announcer />
    </>
  );
}

/** Who works here begins with the work; everybody else, with food. */
function Home() {
  const session = useSession();
  const role = session.is === "out" ? "customer" : session.session.role;
  return role === "customer" ? <RestaurantsPage /> : <Navigate to={HOME[role]} replace />;
}

function Bar() {
  const session = useSession();
  const inBasket = count(basket.use());
  const role = session.is === "out" ? null : session.session.role;
  return (
    <header className={css.bar}>
      <div className={css.inner}>
        <NavLink to="/" className={css.brand} aria-label="Tiffin, home" end aria-current={undefined}>
          <img src="/icon.svg" alt="" width="30" height="30" />
          Tiffin
        </NavLink>
        <nav className={css.nav} aria-label="Pages">
          {(role === null || role === "customer") && (
            <>
              <NavLink to="/" end>
                Restaurants
              </NavLink>
              <NavLink to="/basket">
                Basket
                {inBasket > 0 && (
                  <span className={css.count}>
                    {inBasket}
                    <span className="visually-hidden"> in it</span>
                  </span>
                )}
              </NavLink>
            </>
          )}
          {role === "customer" && (
            <>
              <NavLink to="/orders">Orders</NavLink>
              <NavLink to="/codes">Codes</NavLink>
            </>
          )}
          {role === "restaurant" && <NavLink to="/kitchen">Kitchen</NavLink>}
          {role === "courier" && <NavLink to="/courier">Deliveries</NavLink>}
          {role === "support" && <NavLink to="/support">Orders</NavLink>}
          <NavLink to="/how-it-works" className={css.aside}>
            How it works
          </NavLink>
        </nav>
        <div className={css.tools}>
          <ThemeChoice />
          {session.is === "out" ? (
            <Button look="primary" onPress={() => void signIn(location.pathname === "/signed-in" ? "/" : undefined)}>
              Sign in
            </Button>
          ) : (
            <>
              <span className={css.who}>
                {CALLED[session.session.role]}
                {session.session.restaurantId && <Employer restaurantId={session.session.restaurantId} />}
              </span>
              <Button look="plain" onPress={leave}>
                Sign out
              </Button>
            </>
          )}
        </div>
      </div>
    </header>
  );
}

/** For whom somebody answers: the restaurant's name, once it is known. */
function Employer({ restaurantId }: { restaurantId: string }) {
  const all = useQuery(restaurants()).data?.restaurants;
  return <small>{all?.find(({ restaurant_id }) => restaurant_id === restaurantId)?.name ?? restaurantId}</small>;
}

/** Sign out, and leave nothing of a person in this browser. */
function leave() {
  signOut();
  basket.set(null);
  lastPlaced.set(null);
  signOutThere();
}

function ThemeChoice() {
  const theme = useTheme();
  return (
    <select className={css.theme} aria-label="Colours" value={theme} onChange={(event) => setTheme(event.target.value as Theme)}>
      <option value="system">Colours: auto</option>
      <option value="light">Colours: light</option>
      <option value="dark">Colours: dark</option>
    </select>
  );
}

function Banners() {
  const session = useSession();
  const online = useOnline();
  const moved = useMoved();
  return (
    <>
      {moved && (
        <div className={css.banner}>
          <Note tone="warn" title="The application was deployed anew">
            <p>Some of it is at another address than when this page was opened. The basket stays as it is.</p>
            <Button look="primary" onPress={() => location.reload()}>
              Reload
            </Button>
          </Note>
        </div>
      )}
      {!online && (
        <div className={css.banner}>
          <Note tone="warn" title="You are offline">
            <p>What you see is as it was. It goes on by itself when the network is back.</p>
          </Note>
        </div>
      )}
      {session.is === "out" && session.why && (
        <div className={css.banner}>
          <Note tone="warn" title="You were signed out">
            <p>{session.why}</p>
          </Note>
        </div>
      )}
      {session.is === "expired" && (
        <div className={css.banner}>
          <Note tone="warn" title="Your sign-in has run out">
            <p>The page and the basket stay as they are.</p>
            <Button look="primary" onPress={() => void signIn()}>
              Sign in again
            </Button>
          </Note>
        </div>
      )}
    </>
  );
}

function Foot() {
  const connection = useConnection();
  // A socket does not notice that its line is gone.
  const is = useOnline() ? connection : "offline";
  const said = { offline: "Offline: changes appear once the network is back", live: "Live: changes appear by themselves", asking: "Asking every few seconds", off: "Signed out" }[is];
  return (
    <footer className={css.foot}>
      <span>
        Tiffin, a reference application. Nobody cooks, and no card is charged. <Link to="/how-it-works">How it works</Link>
      </span>
      <span className={css.live} data-is={is}>
        {said}
      </span>
    </footer>
  );
}

/** A page for one role. */
function For({ role, element }: { role: Role; element: ReactNode }) {
  const session = useSession();
  if (session.is === "out") return <SignInPage />;
  if (session.session.role === role) return element;
  return (
    <Page title="This page is for others">
      <Card>
        <p>
          It is for the role “{role}”, and you are signed in as “{session.session.role}”.
        </p>
        <Actions>
          <LinkButton to={HOME[session.session.role]} look="primary">
            To your page
          </LinkButton>
          <Button onPress={leave}>Sign in as somebody else</Button>
        </Actions>
      </Card>
    </Page>
  );
}

function SignInPage() {
  return (
    <Page title="Sign in first" lead="You come back to this very page.">
      <Actions>
        <Button look="primary" onPress={() => void signIn()}>
          Sign in
        </Button>
      </Actions>
    </Page>
  );
}

/** Where the pool's pages send a browser back to. */
let takingUp: Promise<string> | null = null;

function SignedIn() {
  const navigate = useNavigate();
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    if (!location.search) return;
    // A code is good once: not again, should React look twice.
    takingUp ??= takeUp(new URLSearchParams(location.search)).finally(() => (takingUp = null));
    takingUp.then(
      (from) => navigate(from, { replace: true }),
      (error: unknown) => setFailure(error instanceof Error ? error.message : String(error)),
    );
  }, [navigate]);
  // Whoever signed out is led back here, too.
  if (!location.search) return <Navigate to="/" replace />;
  if (!failure) return <Loading what="your account" />;
  return (
    <Page title="Not signed in">
      <Note tone="bad" title="That did not work">
        <p>{failure}</p>
        <Actions>
          <Button look="primary" onPress={() => void signIn("/")}>
            Try again
          </Button>
          {/* The pool's pages remember who it was, and would bring the same account back. */}
          <Button onPress={signOutThere}>Sign in as somebody else</Button>
        </Actions>
      </Note>
    </Page>
  );
}

function Nowhere() {
  return (
    <Page title="There is nothing here" lead="The address leads to no page.">
      <Actions>
        <LinkButton to="/" look="primary">
          To the beginning
        </LinkButton>
      </Actions>
    </Page>
  );
}
