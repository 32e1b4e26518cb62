/** The page's first line of code. */
import { createRoot } from 'react-dom/client';
import { App } from './App.tsx';
import './style/tokens.css';
import './style/page.css';

const root = document.getElementById('root');
if (root) createRoot(root).render(<App />);
