// uPlot builds `new Intl.NumberFormat(navigator.language)` as it loads. A browser under LANG=C calls its language
// `en-US@posix`, which Intl refuses, and the page would stay empty. Imported before uPlot.
try {
  Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en-US' });
}
