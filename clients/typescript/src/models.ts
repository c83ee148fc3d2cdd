/** The objects of the API and of the events, by name. A newer gateway may send further fields and words. */

import type { components } from "./generated.ts";

type Schemas = components["schemas"];

export type AccessGrantBody = Schemas["AccessGrantBody"];
export type AccessGranted = Schemas["AccessGranted"];
export type AuthorizationStatus = Schemas["AuthorizationStatus"];
export type AuthorizationWatch = Schemas["AuthorizationWatch"];
export type CommandAccepted = Schemas["CommandAccepted"];
export type CommandOutcome = Schemas["CommandOutcome"];
export type CommandStatus = Schemas["CommandStatus"];
export type HandoffCloseBody = Schemas["HandoffCloseBody"];
export type HandoffRequest = Schemas["HandoffRequest"];
export type HandoffStatus = Schemas["HandoffList"]["handoffs"][number];
export type LiveHandoff = Schemas["LiveHandoff"];
export type Me = Schemas["Me"];
export type Overview = Schemas["Overview"];
export type PayerEvidence = Schemas["PayerEvidence"];
export type ReleaseAccepted = Schemas["ReleaseAccepted"];
export type Review = Schemas["Review"];
export type TimelineEntry = Schemas["Timeline"]["entries"][number];
export type WorkItem = Schemas["AuthorizationList"]["authorizations"][number];

/** The data of each type of event. */
export type EventDataByType = Schemas["EventDataByType"];
/** The known types of events. */
export type EventType = keyof EventDataByType;
