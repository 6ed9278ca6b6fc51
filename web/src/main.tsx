import "@fontsource-variable/figtree";
import "./ui/tokens.css";
import "./ui/base.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { connect } from "./api/clients";
import { DEFAULTS } from "./api/queries";
import { App } from "./app";
import { signInAt } from "./auth/session";
import { readConfig } from "./config";
import { Note } from "./ui/kit";

const queries = new QueryClient({ defaultOptions: DEFAULTS });

const root = createRoot(document.getElementById("root")!);
try {
  const config = await readConfig();
  signInAt(config);
  connect(config);
  root.render(
    <QueryClientProvider client={queries}>
      <BrowserRouter>
        <App />
      </BrowserRouter>
    </QueryClientProvider>,
  );
} catch (error) {
  root.render(
    <Note tone="bad" title="The console cannot start">
      <p>{error instanceof Error ? error.message : String(error)}</p>
    </Note>,
  );
}
