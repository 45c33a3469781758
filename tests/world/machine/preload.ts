// SPDX-License-Identifier: MIT
/**
 * Loads everything that production code imports on demand. An import of a module that is loaded resolves within the turn that asks
 * for it; another one takes turns of the real event loop, whose number differs between two runs. `preload_test.ts` holds this list
 * to the code.
 */
import "../../../lib/control/response_schema.ts";
import "../../../lib/control/trace_recorder.ts";
import "../../../lib/daemon/trace_source.ts";
import "../../../lib/daemon/declared_cards.ts";
import "../../../lib/daemon/xrun_traces.ts";
import "../../../lib/metrics/metrics_server.ts";
import "../../../lib/trace/trace_file.ts";
import "../../../lib/vsnd/config/yaml_file.ts";
import "../../../lib/xen/embedded/events/event_channels.ts";
import "../../../lib/xen/embedded/xen.ts";
import "../../../lib/xen/native/event_channels.ts";
import "../../../lib/xen/native/xen.ts";
import "../../../lib/xen/store/reconnecting_store.ts";
