// Starts the page.
import { render } from "preact";
import { App } from "./app.tsx";
import { connect } from "./client.ts";
import "@xterm/xterm/css/xterm.css";
import "./styles/theme.css";
import "./styles/layout.css";
import "./styles/panels.css";

render(<App />, document.getElementById("app")!);
connect();
