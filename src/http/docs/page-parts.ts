/** Swagger UI with what this API has: no other host to ask, no login, no second document. */
export const startScript = `
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();
SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
});
`;

export const pageStyle = `
:root{color-scheme:light dark}
body{margin:0;background:#f3f5f4;font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.dark-mode body{background:#0f1513;color:#e7eeeb}
.bar{display:flex;flex-wrap:wrap;align-items:center;gap:.25rem 1.25rem;padding:.75rem 1.25rem;background:#0b6b50;color:#fff}
.bar p{margin:0;font-weight:600}
.bar a{color:#fff}
.bar a:focus-visible{outline:2px solid #fff;outline-offset:2px}
`;
