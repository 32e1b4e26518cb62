/** The page's first line of code. */
import { createRoot } from 'react-dom/client';
import './style/tokens.css';
import './style/base.css';
import { App } from './App.tsx';
import { warmUp } from './engine.ts';

const root = document.getElementById('root');
if (root) createRoot(root).render(<App />);
warmUp();
