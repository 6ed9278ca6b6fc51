import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2023",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    manifest: true,
    // `style-src 'self'` and `img-src 'self'` hold for everything: nothing is put into the page as a data URL but images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: { environment: "jsdom", globals: true, setupFiles: ["tests/setup.ts"], include: ["tests/**/*.test.{ts,tsx}"], testTimeout: 60_000, env: { TZ: "Asia/Kolkata" } },
});
