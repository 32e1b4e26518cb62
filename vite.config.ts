/// <reference types="vitest/config" />
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Together these isolate the page at the top level and, in Chromium, inside a foreign frame. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Document-Isolation-Policy': 'isolate-and-require-corp',
};

export default defineConfig({
  base: './',
  plugins: [react()],
  build: { target: 'esnext' },
  worker: { format: 'es' },
  server: { headers: isolation },
  preview: { headers: isolation, port: 4173 },
  test: { include: ['src/**/*.test.ts'], environment: 'node', testTimeout: 180_000 },
});
