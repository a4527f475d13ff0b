// Types of chromium.mjs.
export const CHROMIUM: string;
export const hasChromium: boolean;
export const CHROMIUM_FLAGS: string[];
