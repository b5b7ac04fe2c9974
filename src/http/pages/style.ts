/** The style of all pages. It is inline and allowed by its hash, so it must be the same in every response. */
export const css = `
:root{
  color-scheme:light dark;
  --ground:#f3f5f4;--card:#fff;--line:#dde3e0;--text:#15211c;--soft:#52605a;--code:#eef2f0;
  --idle:#5b6863;--busy:#1f5fa8;--good:#0b6b50;--wait:#8a5a00;--bad:#b3261e;
}
@media (prefers-color-scheme:dark){:root{
  --ground:#0f1513;--card:#18201d;--line:#2b3632;--text:#e7eeeb;--soft:#a3b1ab;--code:#0f1513;
  --idle:#9aa8a2;--busy:#8fc1ff;--good:#5bd1a8;--wait:#f0b95a;--bad:#ff9a90;
}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;padding:1.25rem .75rem 2rem;background:var(--ground);color:var(--text);
  font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
  display:flex;flex-direction:column;align-items:center;gap:1rem}
.idle{--tone:var(--idle)}.busy{--tone:var(--busy)}.good{--tone:var(--good)}.wait{--tone:var(--wait)}.bad{--tone:var(--bad)}
header,main,footer{width:100%;max-width:32rem}
.session{margin:.5rem 0 0;color:var(--soft);overflow-wrap:anywhere}
.brand{margin:0;display:flex;align-items:center;gap:.5rem;font-weight:600;letter-spacing:.01em}
.mark{display:inline-grid;place-items:center;width:1.6rem;height:1.6rem;border-radius:.45rem;
  background:#0b6b50;color:#fff;font-size:.95rem;font-weight:700}
main{background:var(--card);border:1px solid var(--line);border-top:4px solid var(--tone);border-radius:1rem;
  padding:1.5rem 1.5rem 1.25rem}
h1{margin:0 0 .5rem;font-size:1.5rem;line-height:1.25;letter-spacing:-.01em;overflow-wrap:anywhere}
p{margin:0 0 .75rem;overflow-wrap:anywhere}
ol,ul{margin:0 0 1rem;padding-left:1.4rem}
li{margin:.2rem 0;overflow-wrap:anywhere}
pre{margin:0 0 .75rem;padding:.7rem .85rem;border-radius:.6rem;background:var(--code);border:1px solid var(--line);
  white-space:pre;overflow:auto;max-height:18rem;font-size:.84375rem}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
.why{padding:.6rem .85rem;border-left:3px solid var(--tone);background:var(--code);border-radius:0 .6rem .6rem 0}
.tile{margin:1rem auto .75rem;width:fit-content;max-width:100%;padding:.75rem;background:#fff;border-radius:.9rem;
  border:1px solid var(--line)}
.tile img{display:block;width:360px;max-width:100%;height:auto;image-rendering:pixelated}
.typed{padding:1rem 1.25rem;background:none;font:700 2rem/1.2 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;
  letter-spacing:.08em}
.none{margin:1rem 0 0;padding-top:.75rem;border-top:1px solid var(--line);color:var(--soft);font-size:.8125rem}
.state{margin:0;color:var(--soft);font-size:.9375rem}
.state strong{color:var(--tone);font-size:1rem}
.dot{display:inline-block;margin-right:.5rem;width:.6rem;height:.6rem;border-radius:50%;background:var(--tone)}
.code{margin:.25rem 0 0;color:var(--soft);font-size:.9375rem;font-variant-numeric:tabular-nums}
dl{margin:1rem 0 0;padding-top:1rem;border-top:1px solid var(--line);display:grid;
  grid-template-columns:max-content 1fr;gap:.25rem 1rem;font-size:.9375rem}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.hint{margin:1rem 0 0;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.9375rem}
footer{color:var(--soft);font-size:.875rem;text-align:center}
.path{display:block;white-space:nowrap;font-weight:600;font-size:min(1rem,3.35vw)}
li .path{font-weight:500}
#actions>form{margin:.75rem 0 0}
details{margin:0 0 .75rem;color:var(--soft);font-size:.875rem}
summary{cursor:pointer}
.action{margin:1rem 0 0;padding-top:1rem;border-top:1px solid var(--line)}
.action>a{font-weight:600}
.action+.action{margin-top:.6rem;padding-top:0;border-top:0}
summary:focus-visible{outline:3px solid var(--good);outline-offset:2px}
details[open]>summary{margin-bottom:.6rem}
nav ul{list-style:none;padding:0}
nav li{margin:.6rem 0}
a{color:var(--good)}
form{margin:0 0 .75rem}
[hidden]{display:none!important}
label{display:block;margin:0 0 .35rem;font-weight:600}
input:not([type=hidden]),textarea{display:block;width:100%;margin:0 0 .9rem;padding:.65rem .75rem;border:1px solid var(--soft);border-radius:.6rem;
  background:var(--code);color:var(--text);font:1rem/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
kbd{padding:.05rem .35rem;border:1px solid var(--soft);border-radius:.3rem;font:inherit;font-size:.875em}
.steps>li{margin:.6rem 0}
.fine{color:var(--soft);font-size:.8125rem}
.said:empty{display:none}.said{font-weight:600}
@media (scripting:none){.scripted{display:none}}
@media not (scripting:none){.unscripted{display:none}}
button{padding:.7rem 1.25rem;border:0;border-radius:.6rem;background:#0b6b50;color:#fff;
  font-family:inherit;font-size:1rem;font-weight:600;line-height:1.3;cursor:pointer}
.button{display:inline-block;padding:.7rem 1.25rem;border-radius:.6rem;background:#0b6b50;color:#fff;font-weight:600;line-height:1.3;
  text-decoration:none}
button:hover,.button:hover{background:#095843}
button.danger{background:#b3261e}
button.danger:hover{background:#8f1d17}
button.quiet{padding:.35rem .75rem;border:1px solid var(--soft);background:none;color:var(--soft);font-size:.875rem}
input:focus-visible,textarea:focus-visible,button:focus-visible,a:focus-visible,pre:focus-visible{outline:3px solid var(--good);outline-offset:2px}
@media (max-width:28rem){main{padding:1.1rem .9rem 1rem}.tile{padding:.5rem}.typed{font-size:1.6rem}}
`;
