// All pictures of the shop, drawn by hand as SVG, so that the page loads nothing from elsewhere.

const picture = (shapes) =>
  `<svg viewBox="0 0 240 240" aria-hidden="true" focusable="false">${shapes}</svg>`;

export const logo =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" focusable="false">' +
  '<path d="M15 3v19H4z" fill="#ff6a4d"/><path d="M17.500 8v14H26z" fill="#ffc24b"/>' +
  '<path d="M3 24.500h26c-2 3-5 4.500-8 4.500H11c-3 0-6-1.500-8-4.500z" fill="#1d8a8c"/></svg>';

export const art = {
  "storm-lantern": picture(`
    <circle cx="120" cy="136" r="92" fill="#ffc24b" opacity=".12"/>
    <circle cx="120" cy="136" r="66" fill="#ffc24b" opacity=".2"/>
    <path d="M82 104C74 44 166 44 158 104" fill="none" stroke="#d99a36" stroke-width="6" stroke-linecap="round"/>
    <path d="M106 66h28l6 18h-40z" fill="#d99a36"/>
    <rect x="90" y="84" width="60" height="13" rx="5" fill="#f0b650"/>
    <path d="M95 97h50c13 26 13 52 0 76H95c-13-24-13-50 0-76z" fill="#fff3d1"/>
    <path d="M120 112c17 19 20 31 12 43-6 8-18 8-24 0-8-12-5-24 12-43z" fill="#ff6a4d"/>
    <path d="M120 132c9 10 10 16 6 22-3 4-9 4-12 0-4-6-3-12 6-22z" fill="#ffc24b"/>
    <path d="M95 97c-13 26-13 52 0 76M145 97c13 26 13 52 0 76M90 135h60" fill="none" stroke="#d99a36" stroke-width="4"/>
    <rect x="86" y="170" width="68" height="13" rx="5" fill="#f0b650"/>
    <path d="M80 183h80l8 25a7 7 0 0 1-7 9H79a7 7 0 0 1-7-9z" fill="#d99a36"/>
    <circle cx="160" cy="196" r="6" fill="#f0b650"/>`),

  "rain-coat": picture(`
    <g stroke="#fff" stroke-width="4" stroke-linecap="round" opacity=".8">
      <path d="M38 46l-7 16M70 30l-7 16M196 40l-7 16M212 92l-7 16M36 116l-7 16M206 196l-7 16M40 200l-7 16M168 22l-5 12"/></g>
    <path d="M92 82L66 98c-5 3-8 8-9 13l-13 66 26 6 14-54v79a6 6 0 0 0 6 6h60a6 6 0 0 0 6-6v-79l14 54 26-6-13-66c-1-5-4-10-9-13l-26-16z" fill="#ffc24b"/>
    <path d="M84 129v79a6 6 0 0 0 6 6h30V96l-28-14-9 6z" fill="#f7b233"/>
    <path d="M120 34c-26 0-36 24-32 50l32 16 32-16c4-26-6-50-32-50z" fill="#f0a521"/>
    <path d="M120 48c-17 0-23 14-21 34l21 11 21-11c2-20-4-34-21-34z" fill="#8a5a12"/>
    <path d="M120 100v114" stroke="#d98f12" stroke-width="4"/>
    <g fill="#13294b"><circle cx="128" cy="122" r="4"/><circle cx="128" cy="148" r="4"/><circle cx="128" cy="174" r="4"/></g>
    <path d="M92 164h20v5c0 8-4 12-10 12s-10-4-10-12zM134 164" fill="#e39d1b"/>
    <path d="M136 164h16v5c0 8-3 12-8 12s-8-4-8-12z" fill="#f0a521"/>`),

  "diamond-kite": picture(`
    <g fill="#fff" opacity=".75"><path d="M22 72a16 16 0 0 1 18-16 22 22 0 0 1 41 4 14 14 0 0 1 2 28H36a14 14 0 0 1-14-16z"/>
      <path d="M172 186a12 12 0 0 1 13-12 17 17 0 0 1 31 3 11 11 0 0 1 1 21h-34a11 11 0 0 1-11-12z"/></g>
    <g transform="rotate(14 130 100)">
      <path d="M130 26L74 88h56z" fill="#ff6a4d"/><path d="M130 26l56 62h-56z" fill="#fff6e3"/>
      <path d="M74 88l56 88V88z" fill="#fff6e3"/><path d="M186 88l-56 88V88z" fill="#13294b"/>
      <path d="M130 26v150M74 88h112" stroke="#13294b" stroke-width="3"/>
      <circle cx="130" cy="88" r="9" fill="#ffc24b" stroke="#13294b" stroke-width="3"/></g>
    <path d="M111 173c-2 20-30 8-34 24s-26 6-36 22" fill="none" stroke="#13294b" stroke-width="3" stroke-linecap="round"/>
    <g fill="#ff6a4d"><path d="M98 190l-14-9 1 15zM98 190l13 11-15 4z"/></g>
    <g fill="#13294b"><path d="M70 206l-14-9 1 15zM70 206l13 11-15 4z"/></g>`),

  "enamel-mug": picture(`
    <g fill="none" stroke="#fff" stroke-width="6" stroke-linecap="round" opacity=".7">
      <path d="M94 66c-10-12 10-18 0-32M118 60c-10-12 10-18 0-32M142 66c-10-12 10-18 0-32"/></g>
    <path d="M160 108h14c32 0 32 56 0 56h-14" fill="none" stroke="#fff" stroke-width="13"/>
    <path d="M68 86h100l-5 104a12 12 0 0 1-12 11H85a12 12 0 0 1-12-11z" fill="#fff"/>
    <path d="M140 86h28l-5 104a12 12 0 0 1-12 11h-18c8-30 10-70 7-115z" fill="#e3ecef"/>
    <rect x="62" y="80" width="112" height="12" rx="6" fill="#13294b"/>
    <path d="M114 116v42H90z" fill="#ff6a4d"/><path d="M120 126v32h18z" fill="#1d8a8c"/>
    <path d="M86 163h56c-5 8-10 11-16 11h-24c-6 0-11-3-16-11z" fill="#13294b"/>
    <g fill="#13294b"><circle cx="84" cy="108" r="2"/><circle cx="148" cy="112" r="2.500"/><circle cx="80" cy="140" r="1.500"/>
      <circle cx="150" cy="184" r="2"/><circle cx="88" cy="188" r="2"/><circle cx="102" cy="104" r="1.500"/></g>`),

  "wool-blanket": picture(`
    <path d="M28 58h184" stroke="#8a5a3c" stroke-width="9" stroke-linecap="round"/>
    <path d="M62 52h116v128c-20 8-38-6-58 0s-38 8-58 0z" fill="#fff6e3"/>
    <path d="M62 52h116v20H62z" fill="#13294b"/>
    <path d="M62 86h116v20H62z" fill="#ff6a4d"/>
    <path d="M62 112h116v8H62z" fill="#ffc24b"/>
    <path d="M62 126h116v20H62z" fill="#1d8a8c"/>
    <path d="M62 160c20 8 38 6 58 0s38-6 58 0v20c-20 8-38-6-58 0s-38 8-58 0z" fill="#13294b"/>
    <g stroke="#fff6e3" stroke-width="4" stroke-linecap="round">
      <path d="M66 186v18M78 189v18M90 190v18M102 188v18M114 185v18M126 183v18M138 184v18M150 186v18M162 188v18M174 186v18"/></g>
    <path d="M150 52h28v128c-9 4-19 2-28 1z" fill="#13294b" opacity=".12"/>`),

  "pocket-compass": picture(`
    <path d="M104 50a16 16 0 1 1 32 0" fill="none" stroke="#d99a36" stroke-width="7"/>
    <rect x="111" y="44" width="18" height="20" rx="4" fill="#d99a36"/>
    <circle cx="120" cy="138" r="80" fill="#f0b650"/><circle cx="120" cy="138" r="80" fill="none" stroke="#d99a36" stroke-width="6"/>
    <circle cx="120" cy="138" r="63" fill="#fff6e3"/>
    <g stroke="#13294b" stroke-width="4" stroke-linecap="round">
      <path d="M120 82v10M120 184v10M64 138h10M166 138h10"/>
      <path d="M80.500 98.500l5 5M154.500 172.500l5 5M80.500 177.500l5-5M154.500 103.500l5-5" stroke-width="3" opacity=".5"/></g>
    <g transform="rotate(32 120 138)"><path d="M120 92l12 46h-24z" fill="#ff6a4d"/><path d="M120 184l12-46h-24z" fill="#13294b"/></g>
    <circle cx="120" cy="138" r="7" fill="#f0b650" stroke="#13294b" stroke-width="3"/>
    <path d="M78 104a54 54 0 0 1 36-20" fill="none" stroke="#fff" stroke-width="6" stroke-linecap="round" opacity=".9"/>`),

  "harbour-beanie": picture(`
    <circle cx="120" cy="56" r="24" fill="#fff6e3"/>
    <path d="M104 48l8 8M120 38v12M136 48l-8 8M108 68l8-6M134 68l-8-6" stroke="#e2cfa9" stroke-width="4" stroke-linecap="round"/>
    <path d="M60 160c0-58 28-86 60-86s60 28 60 86z" fill="#ff6a4d"/>
    <path d="M68 118c34 10 70 10 104 0l5 18c-38 11-76 11-114 0z" fill="#fff6e3"/>
    <path d="M74 124l8 10 8-8 8 11 8-9 8 10 8-10 8 10 8-9 8 9 8-10 8 8 8-10" fill="none" stroke="#13294b" stroke-width="4" stroke-linejoin="round" stroke-linecap="round"/>
    <rect x="50" y="152" width="140" height="44" rx="16" fill="#e4512f"/>
    <g stroke="#c23f20" stroke-width="4" stroke-linecap="round">
      <path d="M66 162v24M82 162v24M98 162v24M114 162v24M130 162v24M146 162v24M162 162v24M178 164v20"/></g>
    <rect x="136" y="164" width="30" height="20" rx="3" fill="#13294b"/><path d="M150 168v11h-7zM153 171v8h6z" fill="#fff6e3"/>`),

  "smoked-tea": picture(`
    <path d="M38 196c-4-34 14-54 40-58 2 32-10 54-40 58z" fill="#7fc7b4"/><path d="M42 192c8-18 18-32 32-46" stroke="#13605f" stroke-width="3" fill="none" opacity=".6"/>
    <path d="M204 202c2-26-12-42-34-44-2 26 8 42 34 44z" fill="#7fc7b4"/><path d="M200 198c-6-14-14-24-26-34" stroke="#13605f" stroke-width="3" fill="none" opacity=".6"/>
    <rect x="76" y="84" width="88" height="122" rx="9" fill="#fff6e3"/>
    <path d="M142 84h13a9 9 0 0 1 9 9v104a9 9 0 0 1-9 9h-13z" fill="#eadcbd"/>
    <rect x="70" y="56" width="100" height="32" rx="9" fill="#ff6a4d"/><path d="M142 56h19a9 9 0 0 1 9 9v14a9 9 0 0 1-9 9h-19z" fill="#e4512f"/>
    <rect x="104" y="44" width="32" height="14" rx="6" fill="#e4512f"/>
    <circle cx="120" cy="140" r="31" fill="#13294b"/>
    <path d="M120 118c16 12 18 30 0 44-18-14-16-32 0-44z" fill="#7fc7b4"/><path d="M120 126v40" stroke="#13294b" stroke-width="3"/>
    <path d="M92 186h56M100 194h40" stroke="#13294b" stroke-width="4" stroke-linecap="round"/>`),
};

const sailboat = (className, x, y, scale) => `
    <g class="boat ${className}"><g transform="translate(${x} ${y}) scale(${scale})">
      <path d="M0-96V0h-52z" fill="#ff6a4d"/><path d="M7-78V0h40z" fill="#fff6e3"/><path d="M-1-100h4v112h-4z" fill="#13294b"/>
      <path d="M-60 8H58c-8 18-18 26-32 26h-54c-14 0-24-8-32-26z" fill="#13294b"/></g></g>`;

export const harbour = `<svg class="harbour" viewBox="0 0 1440 560" preserveAspectRatio="xMaxYMax slice" aria-hidden="true" focusable="false">
    <circle class="sun" cx="1060" cy="250" r="128"/>
    <g class="clouds">
      <path class="cloud" d="M760 132a22 22 0 0 1 24-22 32 32 0 0 1 60 5 20 20 0 0 1 4 40h-68a20 20 0 0 1-20-23z"/>
      <path class="cloud slow" d="M1190 120a28 28 0 0 1 31-28 40 40 0 0 1 75 7 25 25 0 0 1 4 50h-86a25 25 0 0 1-24-29z"/></g>
    <path class="hills" d="M430 392l170-72 90 34 110-56 150 66 110-24 190 62v90H430z"/>
    <path d="M0 372c120-26 240-26 360 0s240 26 360 0 240-26 360 0 240 26 360 0v188H0z" fill="#3fa7ab"/>
    ${sailboat("far", 820, 372, 0.62)}
    <path class="wave" d="M-240 420c120-30 240-30 360 0s240 30 360 0 240-30 360 0 240 30 360 0 240-30 360 0 240 30 360 0v140H-240z" fill="#1d8a8c"/>
    ${sailboat("near", 1080, 420, 1.25)}
    <path class="wave slow" d="M-240 482c120-34 240-34 360 0s240 34 360 0 240-34 360 0 240 34 360 0 240-34 360 0 240 34 360 0v90H-240z" fill="#136a70"/>
  </svg>`;
