import { mount } from 'svelte';
import App from './components/App.svelte';
import { keepFocus } from './focus';
import { staysOpen } from './offline';
import './theme.css';

const target = document.getElementById('app');
if (target === null) throw new Error('The page has no #app element.');

keepFocus();
staysOpen();
mount(App, { target });
