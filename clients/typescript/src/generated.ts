// Made by `make client-packages` from schemas/published with openapi-typescript; don't edit.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * HandoffReleased
         * @description The person who had claimed an open handoff has given it back.
         * @example {
         *       "handoffId": "mhand_55",
         *       "by": "jo.miller",
         *       "caller": "people:jo.miller"
         *     }
         */
        HandoffReleased: {
            /** @description Collate's id of the handoff. */
            handoffId: string;
            /** @description The person, as their own token has the name. */
            by: string;
            /** @description The same person as a caller. */
            caller: string;
        };
        /**
         * HandoffReconciled
         * @description Collate has reconciled a closed handoff with the payer. Published once per handoff.
         * @example {
         *       "handoffId": "mhand_55",
         *       "reported": "submitted",
         *       "payer": {
         *         "status": "waiting_on_payer",
         *         "receiptSeen": true,
         *         "decisionSeen": false
         *       },
         *       "agreement": "agrees",
         *       "payerId": "payer_example",
         *       "version": 27,
         *       "metadata": {
         *         "case": "case-0042"
         *       }
         *     }
         */
        HandoffReconciled: {
            /** @description Collate's id of the handoff. */
            handoffId: string;
            /** @description The operator's report, if known. */
            reported?: components["schemas"]["HandoffReconciled.CloseReport"];
            payer: components["schemas"]["HandoffReconciled.PayerTruth"];
            /** @description Whether payer truth agrees with the report. */
            agreement: components["schemas"]["HandoffReconciled.Agreement"];
            /** @description Collate's id of the payer, if Collate shows it. */
            payerId?: string;
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
            /** @description The metadata of the command. */
            metadata?: {
                [key: string]: string;
            };
        };
        /**
         * Agreement
         * @description Whether payer truth agrees with the operator's report.
         * @enum {string}
         */
        "HandoffReconciled.Agreement": "agrees" | "contradicts" | "undetermined" | "no_report";
        /**
         * PayerTruth
         * @description The payer's truth in the authorization.
         */
        "HandoffReconciled.PayerTruth": {
            /** @description The authorization's status. */
            status: string;
            /** @description The outcome, once the authorization is completed. */
            outcome?: string;
            /** @description The type of the next action, if there is one. */
            nextAction?: string;
            /** @description Whether the payer's receipt is present. */
            receiptSeen: boolean;
            /** @description Whether the payer's decision is present. */
            decisionSeen: boolean;
        };
        /**
         * CloseReport
         * @description The report at a close: a reported outcome, or that the operator was unable to complete the handoff.
         * @enum {string}
         */
        "HandoffReconciled.CloseReport": "submitted" | "decision_observed" | "not_required_observed" | "follow_up_required_observed" | "unable_to_complete";
        /**
         * HandoffOpened
         * @description A handoff is active.
         * @example {
         *       "handoffId": "mhand_55",
         *       "accessAvailable": true,
         *       "finalSubmitCapable": true,
         *       "openedAt": "2026-06-02T14:06:01Z",
         *       "payerId": "payer_example",
         *       "effect": "ours",
         *       "caller": "people:jo.miller",
         *       "requestedBy": "jo.miller",
         *       "acceptedBy": "jo.miller",
         *       "assertedBy": "person",
         *       "version": 24,
         *       "metadata": {
         *         "case": "case-0042"
         *       }
         *     }
         */
        HandoffOpened: {
            /** @description Collate's id of the handoff. */
            handoffId: string;
            /** @description Whether an access grant can be created. */
            accessAvailable: boolean;
            /** @description Whether the operator can submit to the payer. */
            finalSubmitCapable: boolean;
            /**
             * Format: date-time
             * @description When the handoff opened, by Collate's clock.
             */
            openedAt?: string;
            /** @description Collate's id of the payer, if Collate shows it. */
            payerId?: string;
            /** @description For a handoff that a command opened: ours (Collate's response proves it) or inferred (from a read). Absent for a handoff of another actor. */
            effect?: components["schemas"]["HandoffOpened.Effect"];
            /** @description The caller whose command opened the handoff, as far as `effect` says. */
            caller?: string;
            /** @description The member of staff who requested the handoff, if known. */
            requestedBy?: string;
            /** @description The reviewer who accepted the review snapshot, if known. */
            acceptedBy?: string;
            /** @description Who says that it was this person: person (the person's own token) or caller (the service stated it). */
            assertedBy?: components["schemas"]["HandoffOpened.AssertedBy"];
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
            /** @description The metadata of the command. */
            metadata?: {
                [key: string]: string;
            };
        };
        /**
         * AssertedBy
         * @description Who vouches for a person's name: the person's own token (person), or the service that called (caller).
         * @enum {string}
         */
        "HandoffOpened.AssertedBy": "person" | "caller";
        /**
         * Effect
         * @description Whether our command changed Collate: proven by a response (ours), concluded from a read (inferred), or not.
         *
         *     unknown: a write may have changed Collate, and nothing shows whether it did.
         * @enum {string}
         */
        "HandoffOpened.Effect": "ours" | "inferred" | "none" | "unknown";
        /**
         * HandoffClosed
         * @description A handoff has ended. The report is the operator's, not payer truth.
         * @example {
         *       "handoffId": "mhand_55",
         *       "result": "completed_reported",
         *       "by": "us",
         *       "closedAt": "2026-06-02T14:30:00Z",
         *       "reported": "submitted",
         *       "caller": "people:jo.miller",
         *       "reportedBy": "jo.miller",
         *       "assertedBy": "person",
         *       "version": 25,
         *       "metadata": {
         *         "case": "case-0042"
         *       }
         *     }
         */
        HandoffClosed: {
            /** @description Collate's id of the handoff. */
            handoffId: string;
            /** @description The handoff's result, in Collate's words. */
            result: string;
            /** @description The cause of its end. */
            by: components["schemas"]["HandoffClosed.ClosedBy"];
            /**
             * Format: date-time
             * @description When it closed, by Collate's clock; absent if no read of it showed the end.
             */
            closedAt?: string;
            /** @description The operator's report, if known. */
            reported?: components["schemas"]["HandoffClosed.CloseReport"];
            /** @description Why the operator was unable to complete it. */
            reason?: string;
            /** @description The caller that closed it, if by us. */
            caller?: string;
            /** @description The member of staff who reported the result, if known. */
            reportedBy?: string;
            /** @description Who says that it was this person: person (the person's own token) or caller (the service stated it). */
            assertedBy?: components["schemas"]["HandoffClosed.AssertedBy"];
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
            /** @description The metadata of the command. */
            metadata?: {
                [key: string]: string;
            };
        };
        /**
         * AssertedBy
         * @description Who vouches for a person's name: the person's own token (person), or the service that called (caller).
         * @enum {string}
         */
        "HandoffClosed.AssertedBy": "person" | "caller";
        /**
         * CloseReport
         * @description The report at a close: a reported outcome, or that the operator was unable to complete the handoff.
         * @enum {string}
         */
        "HandoffClosed.CloseReport": "submitted" | "decision_observed" | "not_required_observed" | "follow_up_required_observed" | "unable_to_complete";
        /**
         * ClosedBy
         * @description The cause of a handoff's end.
         * @enum {string}
         */
        "HandoffClosed.ClosedBy": "us" | "other" | "expiry" | "loss" | "cancellation";
        /**
         * HandoffClaimed
         * @description A person has an open handoff in hand: they opened it, got into it first, or took it over.
         * @example {
         *       "handoffId": "mhand_55",
         *       "by": "jo.miller",
         *       "caller": "people:jo.miller",
         *       "takenOverFrom": "people:sam.lee"
         *     }
         */
        HandoffClaimed: {
            /** @description Collate's id of the handoff. */
            handoffId: string;
            /** @description The person, as their own token has the name. */
            by: string;
            /** @description The same person as a caller. */
            caller: string;
            /** @description The caller's name of the person who had claimed it before. */
            takenOverFrom?: string;
        };
        /**
         * HandoffAtRisk
         * @description Collate may soon end an active handoff.
         * @example {
         *       "handoffId": "mhand_55",
         *       "reason": "grant_expired",
         *       "advice": "The operator's last link has expired: get a new one, or close the handoff.",
         *       "endsAt": "2026-06-02T14:30:00Z",
         *       "version": 24
         *     }
         */
        HandoffAtRisk: {
            /** @description Collate's id of the handoff. */
            handoffId: string;
            /** @description `not_entered`, `grant_expiring`, `grant_expired`, `abandonment` or `open_too_long`. */
            reason: string;
            /** @description What to do, in one sentence. */
            advice?: string;
            /**
             * Format: date-time
             * @description When Collate is expected to end the handoff as abandoned, unless a new grant is created. It comes from the gateway's setting `collate.abandonment_after`, because Collate does not document its limit.
             */
            endsAt?: string;
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
            /** @description The metadata of the command. */
            metadata?: {
                [key: string]: string;
            };
        };
        /**
         * HandoffAccessGranted
         * @description An operator received a link into the live session. A link that is returned again is another event.
         * @example {
         *       "handoffId": "mhand_55",
         *       "operator": "op-7",
         *       "assertedBy": "caller",
         *       "caller": "intake",
         *       "expiresAt": "2026-06-02T14:15:00Z"
         *     }
         */
        HandoffAccessGranted: {
            /** @description Collate's id of the handoff. */
            handoffId: string;
            /** @description The operator who received the link. */
            operator: string;
            /** @description Who says that it was this person: person (the person's own token) or caller (the service stated it). */
            assertedBy: components["schemas"]["HandoffAccessGranted.AssertedBy"];
            /** @description The authenticated caller that received the link. */
            caller: string;
            /**
             * Format: date-time
             * @description When the link expires.
             */
            expiresAt: string;
            /** @description For people: whether another person's claim was looked for. skipped: claims were unknown. Absent for services. */
            claimCheck?: components["schemas"]["HandoffAccessGranted.ClaimCheck"];
        };
        /**
         * ClaimCheck
         * @description Whether another person's claim was looked for before a person got a link.
         * @enum {string}
         */
        "HandoffAccessGranted.ClaimCheck": "done" | "skipped";
        /**
         * AssertedBy
         * @description Who vouches for a person's name: the person's own token (person), or the service that called (caller).
         * @enum {string}
         */
        "HandoffAccessGranted.AssertedBy": "person" | "caller";
        /**
         * HandoffAccessChanged
         * @description Access to an open handoff has changed: whether a grant can be created, or whether the operator can submit.
         * @example {
         *       "handoffId": "mhand_55",
         *       "state": "active",
         *       "accessAvailable": false,
         *       "finalSubmitCapable": true,
         *       "version": 24,
         *       "metadata": {
         *         "case": "case-0042"
         *       }
         *     }
         */
        HandoffAccessChanged: {
            /** @description Collate's id of the handoff. */
            handoffId: string;
            /** @description The handoff's state, in Collate's words. */
            state: string;
            /** @description Whether an access grant can be created now. */
            accessAvailable: boolean;
            /** @description Whether the operator can submit to the payer now. */
            finalSubmitCapable: boolean;
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
            /** @description The metadata of the request command. */
            metadata?: {
                [key: string]: string;
            };
        };
        /**
         * CommandWaiting
         * @description A command has not ended yet. Published after ten seconds, and when the reason changes.
         * @example {
         *       "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "command": "collate-gateway.handoff.request.v1",
         *       "caller": "intake",
         *       "reason": "rate_limited",
         *       "advice": "Collate asked us to slow down; nothing to do.",
         *       "until": "2026-06-02T14:07:30Z",
         *       "metadata": {
         *         "case": "case-0042"
         *       }
         *     }
         */
        CommandWaiting: {
            /** @description The command's id. */
            commandId: string;
            /** @description The command's type. */
            command: components["schemas"]["CommandWaiting.CommandType"];
            /** @description The caller that sent the command. */
            caller: string;
            /** @description The reason why the command waits. */
            reason: string;
            /** @description The reason in one sentence. */
            advice?: string;
            /**
             * Format: date-time
             * @description When the gateway retries.
             */
            until?: string;
            /** @description For `unreadable_answer`: the fields of Collate's answer that could not be read. */
            unreadableFields?: string[];
            /** @description The redrive's number; absent for the first execution. */
            redrive?: number;
            /** @description The metadata of the command. */
            metadata?: {
                [key: string]: string;
            };
            /** @description The calls to Collate that this worker knows. */
            attempts?: components["schemas"]["CommandWaiting.Attempt"][];
            /** @description The number of omitted calls between the first and the last calls. */
            attemptsLeftOut?: number;
        };
        /**
         * Attempt
         * @description One call to Collate for a command: the operation and the kind of response, without content.
         */
        "CommandWaiting.Attempt": {
            /**
             * Format: date-time
             * @description When the call began.
             */
            at: string;
            /** @description The operation at Collate. */
            operation: string;
            /** @description answered, refused, ambiguous (Collate may have applied it) or not_sent. */
            result: string;
            /** @description The HTTP status, if there was a response. */
            status?: number;
            /** @description Collate's error code, or the gateway's own cause. */
            code?: string;
            /** @description The duration in milliseconds. */
            ms: number;
            /** @description The write's number, from 1; absent for a read. */
            write?: number;
            /** @description Collate's request id, for support requests. */
            requestId?: string;
        };
        /**
         * CommandType
         * @description The type of a command from a service, an operator or the gateway itself.
         * @enum {string}
         */
        "CommandWaiting.CommandType": "collate-gateway.handoff.request.v1" | "collate-gateway.handoff.close.v1" | "collate-gateway.authorization.watch.v1" | "collate-gateway.handoff.record_access.v1" | "collate-gateway.command.redrive.v1" | "collate-gateway.command.discard.v1" | "collate-gateway.authorization.empty_recent_commands.v1" | "collate-gateway.authorization.lower_version_floor.v1" | "collate-gateway.authorization.record_read.v1" | "collate-gateway.handoff.release.v1";
        /**
         * CommandKeyConflict
         * @description A second command arrived under a known id with another body. Only the first command is applied.
         * @example {
         *       "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "command": "collate-gateway.handoff.close.v1",
         *       "caller": "intake"
         *     }
         */
        CommandKeyConflict: {
            /** @description The command's id. */
            commandId: string;
            /** @description The command's type. */
            command: components["schemas"]["CommandKeyConflict.CommandType"];
            /** @description The caller that sent the command. */
            caller: string;
        };
        /**
         * CommandType
         * @description The type of a command from a service, an operator or the gateway itself.
         * @enum {string}
         */
        "CommandKeyConflict.CommandType": "collate-gateway.handoff.request.v1" | "collate-gateway.handoff.close.v1" | "collate-gateway.authorization.watch.v1" | "collate-gateway.handoff.record_access.v1" | "collate-gateway.command.redrive.v1" | "collate-gateway.command.discard.v1" | "collate-gateway.authorization.empty_recent_commands.v1" | "collate-gateway.authorization.lower_version_floor.v1" | "collate-gateway.authorization.record_read.v1" | "collate-gateway.handoff.release.v1";
        /**
         * CommandFinished
         * @description A command, or a redrive of it, has ended. Published exactly once for each.
         * @example {
         *       "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "command": "collate-gateway.handoff.request.v1",
         *       "caller": "intake",
         *       "outcome": "applied",
         *       "effect": "ours",
         *       "handoffId": "mhand_55",
         *       "version": 24,
         *       "requestedBy": "jo.miller",
         *       "acceptedBy": "jo.miller",
         *       "acceptedReviewSnapshotId": "rev_90",
         *       "assertedBy": "caller",
         *       "metadata": {
         *         "case": "case-0042"
         *       },
         *       "attempts": [
         *         {
         *           "at": "2026-06-02T14:06:00Z",
         *           "operation": "get-authorization",
         *           "result": "answered",
         *           "status": 200,
         *           "ms": 41
         *         },
         *         {
         *           "at": "2026-06-02T14:06:01Z",
         *           "operation": "create",
         *           "result": "answered",
         *           "status": 201,
         *           "ms": 320,
         *           "write": 1,
         *           "requestId": "req_7f3a"
         *         }
         *       ]
         *     }
         */
        CommandFinished: {
            /** @description The command's id. */
            commandId: string;
            /** @description The command's type. */
            command: components["schemas"]["CommandFinished.CommandType"];
            /** @description The caller that sent the command. */
            caller: string;
            /** @description The command's outcome. */
            outcome: components["schemas"]["CommandFinished.Outcome"];
            /** @description Whether this command changed Collate. */
            effect: components["schemas"]["CommandFinished.Effect"];
            /** @description Why it was not applied, or names no handoff. */
            reason?: string;
            /** @description What to do, in one sentence. */
            advice?: string;
            /** @description The handoff that the command names or created. */
            handoffId?: string;
            /** @description For the reason `claimed_by_another`: the person who has the handoff, as a caller. */
            claimedBy?: string;
            /** @description For the reason `writes_off`: the write that the shadow would have sent. */
            wouldSend?: components["schemas"]["CommandFinished.WouldSend"];
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
            /** @description The redrive's number; absent for the first execution. */
            redrive?: number;
            /** @description For a redrive or discard: the operator, the caller and the reason. */
            decision?: components["schemas"]["CommandFinished.OperatorDecision"];
            /** @description The member of staff who requested the handoff, if known. */
            requestedBy?: string;
            /** @description The reviewer who accepted the review snapshot, if known. */
            acceptedBy?: string;
            /** @description The review snapshot that the reviewer accepted. */
            acceptedReviewSnapshotId?: string;
            /** @description The member of staff who reported the result, if known. */
            reportedBy?: string;
            /** @description Who says that it was this person: person (the person's own token) or caller (the service stated it). */
            assertedBy?: components["schemas"]["CommandFinished.AssertedBy"];
            /** @description The metadata of the command. */
            metadata?: {
                [key: string]: string;
            };
            /** @description Present if Collate had not shown the authorization before this command: how many such ones of the caller, or of all people of its prefix, the gateway keeps in this partition. */
            unknownAuthorizations?: number;
            /** @description The calls to Collate that this worker knows. */
            attempts?: components["schemas"]["CommandFinished.Attempt"][];
            /** @description The number of omitted calls between the first and the last calls. */
            attemptsLeftOut?: number;
            /** @description For the gateway itself: a keyed digest, by which it knows another body. */
            digest?: string;
        };
        /**
         * Attempt
         * @description One call to Collate for a command: the operation and the kind of response, without content.
         */
        "CommandFinished.Attempt": {
            /**
             * Format: date-time
             * @description When the call began.
             */
            at: string;
            /** @description The operation at Collate. */
            operation: string;
            /** @description answered, refused, ambiguous (Collate may have applied it) or not_sent. */
            result: string;
            /** @description The HTTP status, if there was a response. */
            status?: number;
            /** @description Collate's error code, or the gateway's own cause. */
            code?: string;
            /** @description The duration in milliseconds. */
            ms: number;
            /** @description The write's number, from 1; absent for a read. */
            write?: number;
            /** @description Collate's request id, for support requests. */
            requestId?: string;
        };
        /**
         * AssertedBy
         * @description Who vouches for a person's name: the person's own token (person), or the service that called (caller).
         * @enum {string}
         */
        "CommandFinished.AssertedBy": "person" | "caller";
        /**
         * OperatorDecision
         * @description The operator who redrove or discarded a command, and the reason.
         */
        "CommandFinished.OperatorDecision": {
            /** @description The operator who decided. */
            requestedBy: string;
            /** @description Who says that it was this operator: person (the operator's own token) or caller (the service stated it). */
            assertedBy: components["schemas"]["CommandFinished.AssertedBy"];
            /** @description The authenticated caller that sent the decision. */
            caller: string;
            /** @description The reason. */
            reason: components["schemas"]["CommandFinished.DecisionReason"];
            /** @description A ticket in the operator's own tracker. */
            ticket?: string;
        };
        /**
         * DecisionReason
         * @description The reason why an operator redrove or discarded a dead letter. It is public and contains no name.
         * @enum {string}
         */
        "CommandFinished.DecisionReason": "collate_recovered" | "access_restored" | "deploy_rolled_back" | "fix_deployed" | "checked_by_hand" | "done_by_hand" | "caller_asked" | "no_longer_wanted" | "other";
        /**
         * WouldSend
         * @description A write that a shadow would have sent to Collate.
         */
        "CommandFinished.WouldSend": {
            /** @description The call: `create`, or Collate's word for the close, as in `attempts`. */
            operation: string;
            /** @description The version in its If-Match. */
            version: number;
        };
        /**
         * Effect
         * @description Whether our command changed Collate: proven by a response (ours), concluded from a read (inferred), or not.
         *
         *     unknown: a write may have changed Collate, and nothing shows whether it did.
         * @enum {string}
         */
        "CommandFinished.Effect": "ours" | "inferred" | "none" | "unknown";
        /**
         * Outcome
         * @description The outcome of a command.
         * @enum {string}
         */
        "CommandFinished.Outcome": "applied" | "already_done" | "rejected" | "expired" | "discarded";
        /**
         * CommandType
         * @description The type of a command from a service, an operator or the gateway itself.
         * @enum {string}
         */
        "CommandFinished.CommandType": "collate-gateway.handoff.request.v1" | "collate-gateway.handoff.close.v1" | "collate-gateway.authorization.watch.v1" | "collate-gateway.handoff.record_access.v1" | "collate-gateway.command.redrive.v1" | "collate-gateway.command.discard.v1" | "collate-gateway.authorization.empty_recent_commands.v1" | "collate-gateway.authorization.lower_version_floor.v1" | "collate-gateway.authorization.record_read.v1" | "collate-gateway.handoff.release.v1";
        /**
         * CommandDeadLettered
         * @description A command could not be finished and waits for an operator. It has not ended.
         * @example {
         *       "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "command": "collate-gateway.handoff.request.v1",
         *       "caller": "intake",
         *       "cause": "outcome_unknown",
         *       "advice": "Look at the authorization, then redrive or discard.",
         *       "effect": "unknown",
         *       "metadata": {
         *         "case": "case-0042"
         *       }
         *     }
         */
        CommandDeadLettered: {
            /** @description The command's id. */
            commandId: string;
            /** @description The command's type. */
            command: components["schemas"]["CommandDeadLettered.CommandType"];
            /** @description The caller that sent the command. */
            caller: string;
            /** @description The reason why the command could not be finished. */
            cause: string;
            /** @description What an operator should check. */
            advice?: string;
            /** @description unknown: a write may have changed Collate. */
            effect?: components["schemas"]["CommandDeadLettered.Effect"];
            /** @description The handoff that the command names. */
            handoffId?: string;
            /** @description The redrive's number; absent for the first execution. */
            redrive?: number;
            /** @description For a redrive or discard: the operator, the caller and the reason. */
            decision?: components["schemas"]["CommandDeadLettered.OperatorDecision"];
            /** @description The metadata of the command. */
            metadata?: {
                [key: string]: string;
            };
            /** @description Present if Collate had not shown the authorization before this command: how many such ones of the caller, or of all people of its prefix, the gateway keeps in this partition. */
            unknownAuthorizations?: number;
            /** @description The calls to Collate that this worker knows. */
            attempts?: components["schemas"]["CommandDeadLettered.Attempt"][];
            /** @description The number of omitted calls between the first and the last calls. */
            attemptsLeftOut?: number;
            /** @description For the gateway itself: a keyed digest, by which it knows another body. */
            digest?: string;
        };
        /**
         * Attempt
         * @description One call to Collate for a command: the operation and the kind of response, without content.
         */
        "CommandDeadLettered.Attempt": {
            /**
             * Format: date-time
             * @description When the call began.
             */
            at: string;
            /** @description The operation at Collate. */
            operation: string;
            /** @description answered, refused, ambiguous (Collate may have applied it) or not_sent. */
            result: string;
            /** @description The HTTP status, if there was a response. */
            status?: number;
            /** @description Collate's error code, or the gateway's own cause. */
            code?: string;
            /** @description The duration in milliseconds. */
            ms: number;
            /** @description The write's number, from 1; absent for a read. */
            write?: number;
            /** @description Collate's request id, for support requests. */
            requestId?: string;
        };
        /**
         * OperatorDecision
         * @description The operator who redrove or discarded a command, and the reason.
         */
        "CommandDeadLettered.OperatorDecision": {
            /** @description The operator who decided. */
            requestedBy: string;
            /** @description Who says that it was this operator: person (the operator's own token) or caller (the service stated it). */
            assertedBy: components["schemas"]["CommandDeadLettered.AssertedBy"];
            /** @description The authenticated caller that sent the decision. */
            caller: string;
            /** @description The reason. */
            reason: components["schemas"]["CommandDeadLettered.DecisionReason"];
            /** @description A ticket in the operator's own tracker. */
            ticket?: string;
        };
        /**
         * DecisionReason
         * @description The reason why an operator redrove or discarded a dead letter. It is public and contains no name.
         * @enum {string}
         */
        "CommandDeadLettered.DecisionReason": "collate_recovered" | "access_restored" | "deploy_rolled_back" | "fix_deployed" | "checked_by_hand" | "done_by_hand" | "caller_asked" | "no_longer_wanted" | "other";
        /**
         * AssertedBy
         * @description Who vouches for a person's name: the person's own token (person), or the service that called (caller).
         * @enum {string}
         */
        "CommandDeadLettered.AssertedBy": "person" | "caller";
        /**
         * Effect
         * @description Whether our command changed Collate: proven by a response (ours), concluded from a read (inferred), or not.
         *
         *     unknown: a write may have changed Collate, and nothing shows whether it did.
         * @enum {string}
         */
        "CommandDeadLettered.Effect": "ours" | "inferred" | "none" | "unknown";
        /**
         * CommandType
         * @description The type of a command from a service, an operator or the gateway itself.
         * @enum {string}
         */
        "CommandDeadLettered.CommandType": "collate-gateway.handoff.request.v1" | "collate-gateway.handoff.close.v1" | "collate-gateway.authorization.watch.v1" | "collate-gateway.handoff.record_access.v1" | "collate-gateway.command.redrive.v1" | "collate-gateway.command.discard.v1" | "collate-gateway.authorization.empty_recent_commands.v1" | "collate-gateway.authorization.lower_version_floor.v1" | "collate-gateway.authorization.record_read.v1" | "collate-gateway.handoff.release.v1";
        /**
         * AuthorizationWatchEnded
         * @description The gateway stopped watching an authorization that has not settled.
         * @example {
         *       "status": "waiting_on_payer",
         *       "watchedSince": "2026-06-02T14:00:00Z",
         *       "reason": "max_age",
         *       "version": 27
         *     }
         */
        AuthorizationWatchEnded: {
            /** @description The last known status. */
            status: string;
            /**
             * Format: date-time
             * @description When the gateway began to watch it.
             */
            watchedSince: string;
            /** @description `max_age`, or `not_found` if Collate does not know the authorization. */
            reason: string;
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
        };
        /**
         * VersionFloorLowered
         * @description An operator let the gateway accept lower versions, because Collate was restored from a backup.
         * @example {
         *       "caller": "support-tool",
         *       "fromVersion": 27,
         *       "toVersion": 12,
         *       "decision": {
         *         "requestedBy": "op-7",
         *         "assertedBy": "caller",
         *         "caller": "support-tool",
         *         "reason": "collate_recovered",
         *         "ticket": "OPS-1204"
         *       }
         *     }
         */
        VersionFloorLowered: {
            /** @description The caller that sent the operator's decision. */
            caller: string;
            /** @description The highest version that the gateway had read. */
            fromVersion: number;
            /** @description The lowest version that the gateway accepts from now on. */
            toVersion: number;
            /** @description The operator and the reason. */
            decision: components["schemas"]["VersionFloorLowered.OperatorDecision"];
        };
        /**
         * OperatorDecision
         * @description The operator who redrove or discarded a command, and the reason.
         */
        "VersionFloorLowered.OperatorDecision": {
            /** @description The operator who decided. */
            requestedBy: string;
            /** @description Who says that it was this operator: person (the operator's own token) or caller (the service stated it). */
            assertedBy: components["schemas"]["VersionFloorLowered.AssertedBy"];
            /** @description The authenticated caller that sent the decision. */
            caller: string;
            /** @description The reason. */
            reason: components["schemas"]["VersionFloorLowered.DecisionReason"];
            /** @description A ticket in the operator's own tracker. */
            ticket?: string;
        };
        /**
         * DecisionReason
         * @description The reason why an operator redrove or discarded a dead letter. It is public and contains no name.
         * @enum {string}
         */
        "VersionFloorLowered.DecisionReason": "collate_recovered" | "access_restored" | "deploy_rolled_back" | "fix_deployed" | "checked_by_hand" | "done_by_hand" | "caller_asked" | "no_longer_wanted" | "other";
        /**
         * AssertedBy
         * @description Who vouches for a person's name: the person's own token (person), or the service that called (caller).
         * @enum {string}
         */
        "VersionFloorLowered.AssertedBy": "person" | "caller";
        /**
         * AuthorizationSettled
         * @description The authorization is completed or canceled. Published once.
         * @example {
         *       "payer": {
         *         "status": "completed",
         *         "outcome": "approved",
         *         "receiptSeen": true,
         *         "decisionSeen": true
         *       },
         *       "handoffId": "mhand_55",
         *       "reported": "submitted",
         *       "agreement": "agrees",
         *       "payerId": "payer_example",
         *       "dueAt": "2026-06-05T14:00:00Z",
         *       "inTime": true,
         *       "version": 31
         *     }
         */
        AuthorizationSettled: {
            payer: components["schemas"]["AuthorizationSettled.PayerTruth"];
            /** @description The last handoff, if there was one. */
            handoffId?: string;
            /** @description The operator's report at its close. */
            reported?: components["schemas"]["AuthorizationSettled.CloseReport"];
            /** @description Whether payer truth, now final, agrees with that report. */
            agreement: components["schemas"]["AuthorizationSettled.Agreement"];
            /** @description Collate's id of the payer, if Collate shows it. */
            payerId?: string;
            /**
             * Format: date-time
             * @description The due date, if a command stated one.
             */
            dueAt?: string;
            /** @description Whether a read showed the end by the due date; absent without a due date. */
            inTime?: boolean;
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
        };
        /**
         * Agreement
         * @description Whether payer truth agrees with the operator's report.
         * @enum {string}
         */
        "AuthorizationSettled.Agreement": "agrees" | "contradicts" | "undetermined" | "no_report";
        /**
         * CloseReport
         * @description The report at a close: a reported outcome, or that the operator was unable to complete the handoff.
         * @enum {string}
         */
        "AuthorizationSettled.CloseReport": "submitted" | "decision_observed" | "not_required_observed" | "follow_up_required_observed" | "unable_to_complete";
        /**
         * PayerTruth
         * @description The payer's truth in the authorization.
         */
        "AuthorizationSettled.PayerTruth": {
            /** @description The authorization's status. */
            status: string;
            /** @description The outcome, once the authorization is completed. */
            outcome?: string;
            /** @description The type of the next action, if there is one. */
            nextAction?: string;
            /** @description Whether the payer's receipt is present. */
            receiptSeen: boolean;
            /** @description Whether the payer's decision is present. */
            decisionSeen: boolean;
        };
        /**
         * RecentCommandsEmptied
         * @description An operator let the gateway forget recent commands; a later repeat of one of them is a new command.
         * @example {
         *       "caller": "support-tool",
         *       "ofCaller": "reporting",
         *       "emptied": 256,
         *       "decision": {
         *         "requestedBy": "op-7",
         *         "assertedBy": "caller",
         *         "caller": "support-tool",
         *         "reason": "fix_deployed",
         *         "ticket": "OPS-1204"
         *       }
         *     }
         */
        RecentCommandsEmptied: {
            /** @description The caller that sent the operator's decision. */
            caller: string;
            /** @description The caller whose commands; absent for all. */
            ofCaller?: string;
            /** @description The number of commands that the gateway forgot. */
            emptied: number;
            /** @description The operator and the reason. */
            decision: components["schemas"]["RecentCommandsEmptied.OperatorDecision"];
        };
        /**
         * OperatorDecision
         * @description The operator who redrove or discarded a command, and the reason.
         */
        "RecentCommandsEmptied.OperatorDecision": {
            /** @description The operator who decided. */
            requestedBy: string;
            /** @description Who says that it was this operator: person (the operator's own token) or caller (the service stated it). */
            assertedBy: components["schemas"]["RecentCommandsEmptied.AssertedBy"];
            /** @description The authenticated caller that sent the decision. */
            caller: string;
            /** @description The reason. */
            reason: components["schemas"]["RecentCommandsEmptied.DecisionReason"];
            /** @description A ticket in the operator's own tracker. */
            ticket?: string;
        };
        /**
         * DecisionReason
         * @description The reason why an operator redrove or discarded a dead letter. It is public and contains no name.
         * @enum {string}
         */
        "RecentCommandsEmptied.DecisionReason": "collate_recovered" | "access_restored" | "deploy_rolled_back" | "fix_deployed" | "checked_by_hand" | "done_by_hand" | "caller_asked" | "no_longer_wanted" | "other";
        /**
         * AssertedBy
         * @description Who vouches for a person's name: the person's own token (person), or the service that called (caller).
         * @enum {string}
         */
        "RecentCommandsEmptied.AssertedBy": "person" | "caller";
        /**
         * AuthorizationOverdue
         * @description The due date has passed, and no read has shown the authorization settled. Published once for each due date.
         * @example {
         *       "dueAt": "2026-06-05T14:00:00Z",
         *       "status": "requires_action",
         *       "payerId": "payer_example",
         *       "version": 23,
         *       "metadata": {
         *         "case": "case-0042"
         *       }
         *     }
         */
        AuthorizationOverdue: {
            /**
             * Format: date-time
             * @description The due date.
             */
            dueAt: string;
            /** @description The last known status. */
            status: string;
            /** @description Collate's id of the payer, if Collate shows it. */
            payerId?: string;
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
            /** @description The metadata of the command that stated the due date. */
            metadata?: {
                [key: string]: string;
            };
        };
        /**
         * ContentRead
         * @description Content with PHI was read through the gateway. The event never has the content.
         * @example {
         *       "content": "review_snapshot",
         *       "caller": "people:jo.miller",
         *       "operator": "jo.miller",
         *       "assertedBy": "person",
         *       "reviewSnapshotId": "rev_90"
         *     }
         */
        ContentRead: {
            /** @description What was read: review_snapshot, payer_evidence, dead_letter_original or handoff_message. */
            content: components["schemas"]["ContentRead.ReadContent"];
            /** @description The authenticated caller that received the content. */
            caller: string;
            /** @description The member of staff who read it, if known. */
            operator?: string;
            /** @description Who says that it was this person: person (the person's own token) or caller (the service stated it). */
            assertedBy?: components["schemas"]["ContentRead.AssertedBy"];
            /** @description The id of the review snapshot. */
            reviewSnapshotId?: string;
            /** @description The dead-lettered command. */
            ofCommand?: string;
        };
        /**
         * AssertedBy
         * @description Who vouches for a person's name: the person's own token (person), or the service that called (caller).
         * @enum {string}
         */
        "ContentRead.AssertedBy": "person" | "caller";
        /**
         * ReadContent
         * @description Content with PHI that a caller read through the gateway.
         * @enum {string}
         */
        "ContentRead.ReadContent": "review_snapshot" | "payer_evidence" | "dead_letter_original" | "handoff_message";
        /**
         * AuthorizationChanged
         * @description The authorization has changed. The record on `authorizations` with the same `sequence` has the whole state.
         * @example {
         *       "from": "processing",
         *       "to": "waiting_on_payer",
         *       "receiptSeen": true,
         *       "decisionSeen": false,
         *       "version": 27
         *     }
         */
        AuthorizationChanged: {
            /** @description The old status; absent in the first event. */
            from?: string;
            /** @description The new status. */
            to: string;
            /** @description The outcome, once the authorization is completed. */
            outcome?: string;
            /** @description The type of the next action, if there is one. */
            nextAction?: string;
            /** @description Whether the payer's receipt is present. */
            receiptSeen: boolean;
            /** @description Whether the payer's decision is present. */
            decisionSeen: boolean;
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
        };
        /**
         * AuthorizationActionRequired
         * @description Collate waits for an action.
         * @example {
         *       "action": "complete_payer_interaction",
         *       "resolution": "manual_handoff",
         *       "coversReviewSnapshotId": "rev_90",
         *       "payerId": "payer_example",
         *       "version": 23
         *     }
         */
        AuthorizationActionRequired: {
            /** @description The next action's type; complete_payer_interaction needs a handoff, unless `resolution` names another resolution. */
            action: string;
            /** @description The kind of resolution of the next action. */
            resolution?: string;
            /** @description The snapshot to accept before a handoff. */
            coversReviewSnapshotId?: string;
            /** @description Collate's id of the payer, if Collate shows it. */
            payerId?: string;
            /** @description Collate's version of the authorization that shows this fact. */
            version?: number;
        };
        /**
         * AccessGrantBody
         * @description The request for an access grant.
         * @example {
         *       "operator": "op-7"
         *     }
         */
        AccessGrantBody: {
            /** @description The member of staff who will receive the link, never a patient. Required from a service; a person's own token says it. */
            operator?: string | null;
            /** @description true: get the link also if another person has claimed the handoff, and claim it. For people only. */
            takeOver?: boolean | null;
            /**
             * @description required: 503 `claim-unknown` and no link if another person's claim cannot be looked for. For people only.
             * @constant
             */
            claimCheck?: "required";
        };
        /**
         * AccessGranted
         * @description A short-lived link into the live payer session. Pass it to the operator's browser and store it nowhere.
         *
         *     Drop it at the event `handoff.closed`.
         * @example {
         *       "handoffId": "mhand_55",
         *       "id": "rag_EXAMPLE",
         *       "url": "https://collate.example/runtime/access/rag_EXAMPLE",
         *       "expiresAt": "2026-06-02T14:15:00Z"
         *     }
         */
        AccessGranted: {
            /** @description The handoff's id. */
            handoffId: string;
            /** @description The grant's id. It is part of the link and as secret. */
            id: string;
            /** @description The link. It alone gives access to the session. Never open it from a server. */
            url: string;
            /**
             * Format: date-time
             * @description When the link expires. Request a new grant before.
             */
            expiresAt: string;
            /** @description Collate's message for the operator, such as what the payer's portal asks for. */
            message?: string;
            /**
             * @description For people: whether another person's claim was looked for. skipped: there is no read model, or it is late or not available. Absent for services.
             * @enum {string}
             */
            claimCheck?: "done" | "skipped";
        };
        /**
         * AccessProblemDetails
         * @description The problem of a handoff without access (RFC 9457).
         */
        AccessProblemDetails: {
            /** @description The problem's URN. It is stable. */
            type: string;
            /** @description A short title, the same for each occurrence. */
            title: string;
            /** @description The HTTP status. */
            status: number;
            /** @description What to do next. */
            detail: string;
            /** @description The request's id, for support requests. */
            requestId: string;
            /** @description The errors in the request. */
            errors?: components["schemas"]["ProblemFault"][];
            /** @description For a command with status 503: whether this try may be in Kafka. */
            kept?: components["schemas"]["Kept"];
            /** @description Of a missing command: records not yet projected. */
            behind?: number;
            /** @description How long ago `behind` was reported. */
            agoSeconds?: number;
            /** @description For a live call: the reason, for programs. */
            reason?: string;
            /** @description For a live call: the handoff's id. */
            handoffId?: string;
            /** @description For a claimed handoff: the person who has it in hand. */
            claimedBy?: string;
            /**
             * Format: date-time
             * @description For a claimed handoff: since when.
             */
            claimedSince?: string;
            /** @description For a closed handoff: its result in Collate's words. */
            result?: string;
            /** @description Collate's own reason, if there is one. */
            detailsReason?: string;
            /** @description For a live call: Collate's request id. */
            collateRequestId?: string;
            /** @description Collate's message for the operator, if there is one. */
            message?: string;
        };
        /**
         * ActiveHandoff
         * @description The running handoff.
         */
        ActiveHandoff: {
            /** @description Collate's id of the handoff. */
            id: string;
            /** @description The handoff's state, in Collate's words. */
            state: string;
            /** @description Whether an access grant can be created. */
            accessAvailable: boolean;
            /** @description Whether the operator can submit to the payer. */
            finalSubmitCapable: boolean;
            /**
             * Format: date-time
             * @description When the handoff opened, by Collate's clock.
             */
            openedAt?: string;
            /** @description The member of staff who requested the handoff, if known. */
            requestedBy?: string;
            /** @description Who says that it was this person: person (their own token) or caller (the service). */
            assertedBy?: components["schemas"]["AssertedBy"];
            /** @description The caller whose command opened the handoff, or may have; absent if another actor opened it. */
            opener?: string;
            /** @description The person who has it in hand; absent without a claim. */
            claim?: components["schemas"]["HandoffClaim"];
        };
        /**
         * Agreement
         * @description Whether payer truth agrees with the operator's report.
         * @enum {string}
         */
        Agreement: "agrees" | "contradicts" | "undetermined" | "no_report";
        /**
         * AssertedBy
         * @description Who vouches for a person's name: the person's own token (person), or the service that called (caller).
         * @enum {string}
         */
        AssertedBy: "person" | "caller";
        /**
         * AuthorizationList
         * @description Authorizations that need work, in the order of the query.
         * @example {
         *       "authorizations": [
         *         {
         *           "authorizationId": "auth_7Q2M",
         *           "sequence": 9,
         *           "version": 27,
         *           "status": "requires_action",
         *           "payerId": "payer_example",
         *           "receiptSeen": true,
         *           "decisionSeen": false,
         *           "watchedSince": "2026-06-02T14:00:00Z",
         *           "updatedAt": "2026-06-02T14:40:00Z",
         *           "waitingSince": "2026-06-02T14:06:01Z",
         *           "handoff": {
         *             "authorizationId": "auth_7Q2M",
         *             "handoffId": "mhand_55",
         *             "state": "active",
         *             "openedAt": "2026-06-02T14:06:01Z",
         *             "accessAvailable": true,
         *             "finalSubmitCapable": true,
         *             "grants": 1,
         *             "metadata": {
         *               "case": "case-0042"
         *             }
         *           }
         *         }
         *       ]
         *     }
         */
        AuthorizationList: {
            /** @description The authorizations. */
            authorizations: components["schemas"]["WorkItem"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            next?: string;
        };
        /**
         * AuthorizationStatus
         * @description The status of an authorization: its latest record on `authorizations`.
         * @example {
         *       "authorizationId": "auth_7Q2M",
         *       "sequence": 9,
         *       "version": 27,
         *       "status": "waiting_on_payer",
         *       "payerId": "payer_example",
         *       "receiptSeen": true,
         *       "decisionSeen": false,
         *       "watchedSince": "2026-06-02T14:00:00Z",
         *       "updatedAt": "2026-06-02T14:40:00Z"
         *     }
         */
        AuthorizationStatus: {
            /** @description The number of the last event that this state includes. */
            sequence: number;
            /** @description Collate's version of the authorization that showed this state. It may have risen since, without another change. */
            version: number;
            /** @description The authorization's status, in Collate's words. */
            status: string;
            /** @description The outcome, once the authorization is completed. */
            outcome?: string;
            /** @description The type of the next action, if there is one. */
            nextAction?: string;
            /** @description The kind of resolution of the next action. */
            resolution?: string;
            /** @description The snapshot to accept before a handoff. */
            coversReviewSnapshotId?: string;
            /**
             * Format: date-time
             * @description Since when Collate has required an action of this type; absent while a handoff is open or its report is not reconciled.
             */
            actionRequiredAt?: string;
            /** @description Collate's id of the payer, if Collate shows it. */
            payerId?: string;
            /** @description Whether the payer's receipt is present. */
            receiptSeen: boolean;
            /** @description Whether the payer's decision is present. */
            decisionSeen: boolean;
            /** @description The running handoff. */
            activeHandoff?: components["schemas"]["ActiveHandoff"];
            /** @description The handoff that ended most recently. */
            lastHandoff?: components["schemas"]["LastHandoff"];
            /**
             * Format: date-time
             * @description When it is due: the `dueAt` of the latest command that had one and was applied.
             */
            dueAt?: string;
            /**
             * Format: date-time
             * @description When `authorization.overdue` was published for this due date.
             */
            overdueAt?: string;
            /**
             * Format: date-time
             * @description When a read first showed the end.
             */
            settledAt?: string;
            /**
             * Format: date-time
             * @description When the gateway began to watch it.
             */
            watchedSince: string;
            /**
             * Format: date-time
             * @description When the gateway stopped watching before it settled; its state may have changed since.
             */
            watchEndedAt?: string;
            /**
             * Format: date-time
             * @description When this record was written.
             */
            updatedAt: string;
            /** @description The authorization's id. */
            authorizationId: string;
            /** @description The metadata of its newest command that has some. */
            metadata?: components["schemas"]["Metadata"];
        };
        /**
         * AuthorizationWatch
         * @description Watch an authorization until it settles.
         * @example {
         *       "dueAt": "2026-06-05T14:00:00Z",
         *       "metadata": {
         *         "case": "case-0042"
         *       }
         *     }
         */
        AuthorizationWatch: {
            /**
             * Format: date-time
             * @description When the authorization must be settled, at most 366 days ahead. It replaces an earlier due date if this command is applied or already done.
             */
            dueAt?: string | null;
            /** @description Copied into the command's own events. */
            metadata?: components["schemas"]["Metadata"] | null;
        };
        /**
         * AuthorizationWatchEvent
         * @description A CloudEvent with the command: Watch an authorization until it settles.
         */
        AuthorizationWatchEvent: {
            /** @constant */
            specversion: "1.0";
            id: string;
            source: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "collate-gateway.authorization.watch.v1";
            subject: string;
            /** @constant */
            datacontenttype?: "application/json";
            data?: components["schemas"]["AuthorizationWatch"];
        };
        /**
         * BatchedCommand
         * @description The result of one event of a batch. Exactly one of `command` and `problem` is set.
         */
        BatchedCommand: {
            /** @description The event's place in the batch, from 0. */
            index: number;
            /** @description The HTTP status that this event alone would have got: 202 is accepted. */
            status: number;
            /** @description The accepted command. */
            command?: components["schemas"]["CommandAccepted"];
            /** @description true: the event repeats an accepted command. */
            replayed?: boolean;
            /** @description The path of the command's status, if a read model is installed. */
            location?: string;
            /** @description Seconds until this event may be sent again. */
            retryAfter?: number;
            /** @description Why the event was not accepted. */
            problem?: components["schemas"]["ProblemDetails"];
        };
        /**
         * BatchedCommands
         * @description The results of a batch, one for each event and in its order.
         * @example {
         *       "results": [
         *         {
         *           "index": 0,
         *           "status": 202,
         *           "command": {
         *             "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *             "type": "collate-gateway.handoff.request.v1",
         *             "authorizationId": "auth_7Q2M",
         *             "status": "accepted",
         *             "acceptedAt": "2026-06-02T14:06:00.120000Z"
         *           }
         *         },
         *         {
         *           "index": 1,
         *           "status": 422,
         *           "problem": {
         *             "type": "urn:collate-gateway:problem:invalid-command",
         *             "title": "The command does not fit its schema",
         *             "status": 422,
         *             "detail": "Correct the fields named in `errors`; nothing was stored.",
         *             "requestId": "8deacda0e5f320c0",
         *             "errors": [
         *               {
         *                 "pointer": "/result/reason",
         *                 "detail": "expected a value: the field is required"
         *               }
         *             ]
         *           }
         *         }
         *       ],
         *       "unfinished": 412,
         *       "endedPerSecond": 9.8
         *     }
         */
        BatchedCommands: {
            /** @description The results. */
            results: components["schemas"]["BatchedCommand"][];
            /** @description The caller's accepted commands without an outcome, at this replica: the closes, or the others if these are more. */
            unfinished: number;
            /** @description The rate of the caller's last ended commands; 0 without one. */
            endedPerSecond: number;
        };
        /**
         * CallerLimits
         * @description The bounds of one caller at one replica of the ingress.
         */
        CallerLimits: {
            /** @description The rate of requests. */
            requestsPerSecond: number;
            /** @description The requests that may come at once. */
            burst: number;
            /** @description The event streams that may be open. */
            streams: number;
            /** @description The requests that may wait (`Prefer: wait`). */
            waitingRequests: number;
            /** @description The accepted commands that may be without an outcome, and as many closes. */
            unfinishedCommands: number;
        };
        /**
         * Claimant
         * @description A person who has open handoffs in hand.
         */
        Claimant: {
            /** @description The person as a caller: the value of `claimedBy`. */
            caller: string;
            /** @description The person's name. */
            by: string;
            /** @description The open handoffs that the person has in hand. */
            handoffs: number;
        };
        /**
         * CloseReport
         * @description The report at a close: a reported outcome, or that the operator was unable to complete the handoff.
         * @enum {string}
         */
        CloseReport: "submitted" | "decision_observed" | "not_required_observed" | "follow_up_required_observed" | "unable_to_complete";
        /** CloseResult */
        CloseResult: components["schemas"]["Completed"] | components["schemas"]["UnableToComplete"] | components["schemas"]["Revoked"];
        /**
         * ClosedBy
         * @description The cause of a handoff's end.
         * @enum {string}
         */
        ClosedBy: "us" | "other" | "expiry" | "loss" | "cancellation";
        /**
         * CommandAccepted
         * @description The command is stored, as durably as its topic. It will end with exactly one `command.finished`.
         * @example {
         *       "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "type": "collate-gateway.handoff.request.v1",
         *       "authorizationId": "auth_7Q2M",
         *       "status": "accepted",
         *       "acceptedAt": "2026-06-02T14:06:00.120000Z"
         *     }
         */
        CommandAccepted: {
            /** @description The command's id: the same for each retry with the same key. */
            commandId: string;
            /** @description The command's type. */
            type: components["schemas"]["CommandType"];
            /** @description The authorization's id. */
            authorizationId: string;
            /**
             * Format: date-time
             * @description When the command was accepted.
             */
            acceptedAt: string;
            /**
             * @description dead_lettered: the command became a dead letter while the request waited; an operator decides.
             * @enum {string}
             */
            status: "accepted" | "dead_lettered";
            /** @description Why it is a dead letter. */
            cause?: string;
            /** @description For a dead letter: what an operator should check. */
            advice?: string;
            /** @description For a dead letter: the number of redrives so far. */
            redrive?: number;
        };
        /**
         * CommandEvent
         * @description A command as a CloudEvent in structured mode; its `type` selects the data.
         */
        CommandEvent: components["schemas"]["AuthorizationWatchEvent"] | components["schemas"]["HandoffCloseEvent"] | components["schemas"]["HandoffRequestEvent"];
        /**
         * CommandEventBatch
         * @description Commands as a batch of CloudEvents.
         */
        CommandEventBatch: components["schemas"]["CommandEvent"][];
        /**
         * CommandKind
         * @description What callers ask for: the type of a command, without its prefix and its version.
         * @enum {string}
         */
        CommandKind: "handoff.request" | "handoff.close" | "authorization.watch";
        /**
         * CommandList
         * @description Commands in the order of their acceptance.
         * @example {
         *       "commands": [
         *         {
         *           "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *           "type": "collate-gateway.handoff.request.v1",
         *           "authorizationId": "auth_7Q2M",
         *           "status": "waiting",
         *           "acceptedAt": "2026-06-02T14:06:00.120000Z",
         *           "caller": "intake"
         *         }
         *       ]
         *     }
         */
        CommandList: {
            /** @description The commands. */
            commands: components["schemas"]["CommandStatus"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            next?: string;
        };
        /**
         * CommandOutcome
         * @description The command finished within the time of `Prefer: wait`.
         * @example {
         *       "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "type": "collate-gateway.handoff.request.v1",
         *       "authorizationId": "auth_7Q2M",
         *       "status": "finished",
         *       "acceptedAt": "2026-06-02T14:06:00.120000Z",
         *       "finishedAt": "2026-06-02T14:06:01Z",
         *       "outcome": "applied",
         *       "effect": "ours",
         *       "handoffId": "mhand_55",
         *       "version": 24
         *     }
         */
        CommandOutcome: {
            /** @description The command's id: the same for each retry with the same key. */
            commandId: string;
            /** @description The command's type. */
            type: components["schemas"]["CommandType"];
            /** @description The authorization's id. */
            authorizationId: string;
            /**
             * Format: date-time
             * @description When the command was accepted.
             */
            acceptedAt: string;
            /** @constant */
            status: "finished";
            /**
             * Format: date-time
             * @description When the command ended.
             */
            finishedAt?: string;
            /** @description The command's outcome. */
            outcome: components["schemas"]["Outcome"];
            /** @description Whether this command changed Collate. */
            effect: components["schemas"]["Effect"];
            /** @description Why it was not applied, or names no handoff. */
            reason?: string;
            /** @description What to do, in one sentence. */
            advice?: string;
            /** @description The handoff that the command names or created. */
            handoffId?: string;
            /** @description The authorization's version at the end. */
            version?: number;
            /** @description The redrive's number; absent for the first execution. */
            redrive?: number;
            /** @description The command's metadata. */
            metadata?: components["schemas"]["Metadata"];
        };
        /**
         * CommandState
         * @description The states of a command; the end of its life is `finished`.
         * @enum {string}
         */
        CommandState: "accepted" | "waiting" | "dead_lettered" | "finished";
        /**
         * CommandStatus
         * @description The status of a command.
         * @example {
         *       "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "type": "collate-gateway.handoff.request.v1",
         *       "authorizationId": "auth_7Q2M",
         *       "status": "finished",
         *       "acceptedAt": "2026-06-02T14:06:00.120000Z",
         *       "caller": "intake",
         *       "finishedAt": "2026-06-02T14:06:01Z",
         *       "outcome": "applied",
         *       "effect": "ours",
         *       "handoffId": "mhand_55",
         *       "version": 24
         *     }
         */
        CommandStatus: {
            /** @description The command's id. */
            commandId: string;
            /** @description The command's type; absent until it is read. */
            type?: string;
            /** @description The authorization's id. */
            authorizationId?: string;
            /** @description The caller that sent the command. */
            caller?: string;
            /** @description accepted, waiting, dead_lettered (an operator must decide) or finished. */
            status: string;
            /**
             * Format: date-time
             * @description When the command was accepted.
             */
            acceptedAt?: string;
            /**
             * Format: date-time
             * @description The time after which the command does not begin.
             */
            expiresAt?: string;
            /** @description Why the command waits or is dead-lettered. */
            waiting?: components["schemas"]["WaitsFor"];
            /**
             * Format: date-time
             * @description When the command ended.
             */
            finishedAt?: string;
            /** @description The command's outcome. */
            outcome?: string;
            /** @description Whether this command changed Collate. */
            effect?: string;
            /** @description Why it was not applied, or names no handoff. */
            reason?: string;
            /** @description What to do, in one sentence. */
            advice?: string;
            /** @description The handoff that the command names or created. */
            handoffId?: string;
            /** @description The authorization's version at the end. */
            version?: number;
            /** @description The number of redrives of the command. */
            redrive?: number;
            /** @description The command's metadata. */
            metadata?: components["schemas"]["Metadata"];
        };
        /**
         * CommandType
         * @description The type of a command from a service, an operator or the gateway itself.
         * @enum {string}
         */
        CommandType: "collate-gateway.handoff.request.v1" | "collate-gateway.handoff.close.v1" | "collate-gateway.authorization.watch.v1" | "collate-gateway.handoff.record_access.v1" | "collate-gateway.command.redrive.v1" | "collate-gateway.command.discard.v1" | "collate-gateway.authorization.empty_recent_commands.v1" | "collate-gateway.authorization.lower_version_floor.v1" | "collate-gateway.authorization.record_read.v1" | "collate-gateway.handoff.release.v1";
        /**
         * Completed
         * @description The operator reports the result that they saw at the payer.
         */
        Completed: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "completed";
            /** @description A report, not payer truth. */
            reportedOutcome: components["schemas"]["ReportedOutcome"];
            /** @description The payer's reference number. */
            observedReferenceNumber?: string | null;
            /** @description Free text for Collate; no event contains it. */
            operatorNotes?: string | null;
        };
        /**
         * DeadLetterDecision
         * @description An operator's decision about a dead letter that they have read.
         * @example {
         *       "operator": "op-7",
         *       "reason": "checked_by_hand",
         *       "ticket": "OPS-1204",
         *       "redrive": 0
         *     }
         */
        DeadLetterDecision: {
            /** @description The operator who decides: a member of staff as named in your systems. Required from a service; a person's own token says it. */
            operator?: string | null;
            /** @description The reason, in events and timelines. */
            reason: components["schemas"]["DecisionReason"];
            /** @description A ticket in your own tracker. The events and the timeline contain it, so it must name no person. */
            ticket?: string | null;
            /** @description The reason in free text; only on the commands topic. */
            why?: string | null;
            /** @description The dead letter's `redrive` as read: the decision is about no other. A retry is the same one. */
            redrive: number;
            /**
             * Format: date-time
             * @description The dead letter's `deadAt` as read. A day after its end the same key is a new command, whose numbers begin again: with `deadAt` the decision is about none of these.
             */
            deadAt?: string | null;
        };
        /**
         * DeadLetterDecisions
         * @description An operator's decision about all dead letters that match, if they are still those that the operator saw.
         * @example {
         *       "operator": "op-7",
         *       "reason": "checked_by_hand",
         *       "ticket": "OPS-1204",
         *       "decision": "redrive",
         *       "selection": {
         *         "cause": "outcome_unknown",
         *         "before": "2026-06-02T15:00:00Z"
         *       },
         *       "count": 1,
         *       "digest": "5b2d7f0c9a41e6380f1d2c3b4a596877"
         *     }
         */
        DeadLetterDecisions: {
            /**
             * @description What to do with each of them.
             * @enum {string}
             */
            decision: "redrive" | "discard";
            /** @description Which dead letters. */
            selection: components["schemas"]["DeadLetterSelection"];
            /** @description Their number: `matching` of the list, or `remaining`. */
            count: number;
            /** @description Their digest, from the list or from the previous response. */
            digest: string;
            /** @description `next` of the previous response: continues behind the decided ones. */
            after?: string | null;
            /** @description The operator who decides. Required from a service; a person's own token says it. */
            operator?: string | null;
            /** @description The reason, in events and timelines. */
            reason: components["schemas"]["DecisionReason"];
            /** @description A ticket in your own tracker; it is published. */
            ticket?: string | null;
            /** @description The reason in free text; only on the commands topic. */
            why?: string | null;
        };
        /**
         * DeadLetterDetail
         * @description A command that waits for an operator, with all of its public fields.
         * @example {
         *       "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "command": "collate-gateway.handoff.request.v1",
         *       "caller": "intake",
         *       "authorizationId": "auth_7Q2M",
         *       "acceptedAt": "2026-06-02T14:06:00Z",
         *       "deadAt": "2026-06-02T14:07:00Z",
         *       "cause": "outcome_unknown",
         *       "advice": "Check at Collate whether the handoff exists before you decide.",
         *       "redrive": 0,
         *       "writes": 1,
         *       "canRedrive": true,
         *       "asks": {},
         *       "sent": [
         *         {
         *           "n": 0,
         *           "operation": "create",
         *           "mayHaveArrived": true
         *         }
         *       ],
         *       "partition": 3,
         *       "offset": 1042
         *     }
         */
        DeadLetterDetail: {
            /** @description The command's id. */
            commandId: string;
            /** @description The command's type, if readable. */
            command?: string;
            /** @description The caller that sent the command, if readable. */
            caller?: string;
            /** @description Absent if the record is broken. */
            authorizationId?: string;
            /**
             * Format: date-time
             * @description When the command was accepted.
             */
            acceptedAt?: string;
            /**
             * Format: date-time
             * @description When the command was dead-lettered.
             */
            deadAt: string;
            /** @description The reason why the command could not be finished. */
            cause: string;
            /** @description What an operator should check. */
            advice?: string;
            /** @description The number of redrives before this dead letter. */
            redrive: number;
            /** @description The number of writes that were sent to Collate. */
            writes: number;
            /** @description False if the command is unreadable, so that it can only be discarded, or names no authorization. */
            canRedrive: boolean;
            /** @description The command's data without free text and reference numbers; absent if unreadable. */
            asks?: {
                [key: string]: unknown;
            };
            /** @description The command's writes, in order. */
            sent: components["schemas"]["DeadLetterWrite"][];
            /** @description The original record's partition; -1 without the record. */
            partition: number;
            /** @description The original record's offset; -1 without the record. */
            offset: number;
        };
        /**
         * DeadLetterList
         * @description A page of dead letters, oldest first.
         * @example {
         *       "deadLetters": [
         *         {
         *           "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *           "command": "collate-gateway.handoff.request.v1",
         *           "caller": "intake",
         *           "authorizationId": "auth_7Q2M",
         *           "acceptedAt": "2026-06-02T14:06:00Z",
         *           "deadAt": "2026-06-02T14:07:00Z",
         *           "cause": "outcome_unknown",
         *           "advice": "Check at Collate whether the handoff exists before you decide.",
         *           "redrive": 0,
         *           "writes": 1,
         *           "canRedrive": true
         *         }
         *       ],
         *       "matching": 1,
         *       "leftOut": 0
         *     }
         */
        DeadLetterList: {
            /** @description The dead letters on this page. */
            deadLetters: components["schemas"]["DeadLetterSummary"][];
            /** @description The number of matching dead letters on all pages. */
            matching: number;
            /**
             * Format: date-time
             * @description With `digest=true`: when the list was read.
             */
            at?: string;
            /** @description With `digest=true`: the digest of all matching dead letters, for a decision. */
            digest?: string;
            /** @description The number of oldest dead letters beyond the memory limit; normally 0. */
            leftOut: number;
            /** @description The `cursor` of the next page; absent on the last page. */
            next?: string;
        };
        /**
         * DeadLetterOriginal
         * @description The original data, with free text and reference numbers. Each access is logged.
         * @example {
         *       "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "data": {},
         *       "value": "e30="
         *     }
         */
        DeadLetterOriginal: {
            /** @description The command's id. */
            commandId: string;
            /** @description The command's data, if readable. */
            data?: {
                [key: string]: unknown;
            };
            /** @description The original record's value in base64. */
            value: string;
        };
        /**
         * DeadLetterSelection
         * @description The filters of a decision about many dead letters; absent filters accept all.
         */
        DeadLetterSelection: {
            /** @description Only dead letters with this cause. */
            cause?: string | null;
            /** @description Only commands of this type. */
            command?: string | null;
            /** @description Only commands of this caller. */
            caller?: string | null;
            /** @description Only commands for this authorization. */
            authorizationId?: string | null;
            /**
             * Format: date-time
             * @description Only dead letters since this time.
             */
            since?: string | null;
            /**
             * Format: date-time
             * @description Only dead letters before this time: the `at` of the list that the operator saw.
             */
            before: string;
        };
        /**
         * DeadLetterSituation
         * @description The current state, at Collate, of a dead letter's authorization.
         * @example {
         *       "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "at": "2026-06-02T15:00:00Z",
         *       "authorizationId": "auth_7Q2M",
         *       "version": 23,
         *       "status": "requires_action",
         *       "nextAction": "complete_payer_interaction",
         *       "receiptSeen": false,
         *       "decisionSeen": false
         *     }
         */
        DeadLetterSituation: {
            /**
             * Format: date-time
             * @description When the gateway began to read from Collate.
             */
            at: string;
            /** @description The authorization's id. */
            authorizationId: string;
            /** @description Collate's version of the authorization. */
            version: number;
            /** @description The authorization's status, in Collate's words. */
            status: string;
            /** @description The outcome, once the authorization is completed. */
            outcome?: string;
            /** @description The type of the next action, if there is one. */
            nextAction?: string;
            /** @description The kind of resolution of the next action. */
            resolution?: string;
            /** @description The snapshot to accept before a handoff. */
            coversReviewSnapshotId?: string;
            /** @description Whether the payer's receipt is present. */
            receiptSeen: boolean;
            /** @description Whether the payer's decision is present. */
            decisionSeen: boolean;
            /** @description The id of the running handoff. */
            activeHandoffId?: string;
            /** @description The command's id. */
            commandId: string;
            /** @description The id of the current review snapshot. */
            reviewSnapshotId?: string;
            /** @description The status of that snapshot. */
            reviewSnapshotStatus?: string;
            /** @description The command's handoff, else the running one. */
            handoff?: components["schemas"]["HandoffNow"];
        };
        /**
         * DeadLetterSummary
         * @description A command that waits for an operator.
         */
        DeadLetterSummary: {
            /** @description The command's id. */
            commandId: string;
            /** @description The command's type, if readable. */
            command?: string;
            /** @description The caller that sent the command, if readable. */
            caller?: string;
            /** @description Absent if the record is broken. */
            authorizationId?: string;
            /**
             * Format: date-time
             * @description When the command was accepted.
             */
            acceptedAt?: string;
            /**
             * Format: date-time
             * @description When the command was dead-lettered.
             */
            deadAt: string;
            /** @description The reason why the command could not be finished. */
            cause: string;
            /** @description What an operator should check. */
            advice?: string;
            /** @description The number of redrives before this dead letter. */
            redrive: number;
            /** @description The number of writes that were sent to Collate. */
            writes: number;
            /** @description False if the command is unreadable, so that it can only be discarded, or names no authorization. */
            canRedrive: boolean;
        };
        /**
         * DeadLetterWrite
         * @description A write that was sent, or may have been sent, to Collate.
         */
        DeadLetterWrite: {
            /** @description The write's number among the command's writes. */
            n: number;
            /** @description The operation at Collate. */
            operation: string;
            /** @description The handoff that the write names. */
            handoffId?: string;
            /** @description The version in its If-Match header. */
            ifMatch?: number;
            /**
             * Format: date-time
             * @description When the write was first sent.
             */
            firstSentAt?: string;
            /** @description How it ended; absent while it may be in flight. */
            ended?: string;
            /** @description Whether this write, or an earlier one, may have been applied. */
            mayHaveArrived: boolean;
        };
        /**
         * DeadLettersDecided
         * @description The decisions that are on the commands topic, and what remains of the selection.
         * @example {
         *       "decided": [
         *         "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
         *       ],
         *       "notDecided": [],
         *       "remaining": 0,
         *       "digest": "5b2d7f0c9a41e6380f1d2c3b4a596877"
         *     }
         */
        DeadLettersDecided: {
            /** @description The commands whose decision is accepted, oldest first. */
            decided: string[];
            /** @description Those that cannot be decided so. */
            notDecided: components["schemas"]["NotDecided"][];
            /** @description The `count` of the next request; 0: all are done. */
            remaining: number;
            /** @description The `digest` of the next request. */
            digest: string;
            /** @description The `after` of the next request; absent if none remains. */
            next?: string;
        };
        /**
         * DecisionReason
         * @description The reason why an operator redrove or discarded a dead letter. It is public and contains no name.
         * @enum {string}
         */
        DecisionReason: "collate_recovered" | "access_restored" | "deploy_rolled_back" | "fix_deployed" | "checked_by_hand" | "done_by_hand" | "caller_asked" | "no_longer_wanted" | "other";
        /**
         * Effect
         * @description Whether our command changed Collate: proven by a response (ours), concluded from a read (inferred), or not.
         *
         *     unknown: a write may have changed Collate, and nothing shows whether it did.
         * @enum {string}
         */
        Effect: "ours" | "inferred" | "none" | "unknown";
        /**
         * EventType
         * @description The type of an event on `events`.
         * @enum {string}
         */
        EventType: "collate-gateway.command.finished.v1" | "collate-gateway.command.waiting.v1" | "collate-gateway.command.dead_lettered.v1" | "collate-gateway.command.key_conflict.v1" | "collate-gateway.handoff.opened.v1" | "collate-gateway.handoff.closed.v1" | "collate-gateway.handoff.reconciled.v1" | "collate-gateway.handoff.access_granted.v1" | "collate-gateway.handoff.access_changed.v1" | "collate-gateway.handoff.claimed.v1" | "collate-gateway.handoff.released.v1" | "collate-gateway.handoff.at_risk.v1" | "collate-gateway.authorization.changed.v1" | "collate-gateway.authorization.action_required.v1" | "collate-gateway.authorization.overdue.v1" | "collate-gateway.authorization.settled.v1" | "collate-gateway.authorization.watch_ended.v1" | "collate-gateway.authorization.recent_commands_emptied.v1" | "collate-gateway.authorization.version_floor_lowered.v1" | "collate-gateway.authorization.content_read.v1";
        /**
         * FullCaller
         * @description A caller that has used up its share of an authorization's recent commands.
         */
        FullCaller: {
            /** @description The authorization; other callers of it are not affected. */
            authorizationId: string;
            /** @description The caller. */
            caller: string;
            /** @description The commands that were rejected in the last ten minutes. */
            rejected: number;
            /**
             * Format: date-time
             * @description When the last one was rejected.
             */
            lastAt: string;
        };
        /**
         * HandoffClaim
         * @description The person who has an open handoff in hand.
         */
        HandoffClaim: {
            /** @description The person, as their own token has the name. */
            by: string;
            /** @description The same person as a caller. */
            caller: string;
            /**
             * Format: date-time
             * @description Since when, by the gateway's clock.
             */
            since: string;
        };
        /**
         * HandoffClose
         * @description Close a handoff with the operator's report.
         * @example {
         *       "result": {
         *         "type": "completed",
         *         "reportedOutcome": "submitted",
         *         "observedReferenceNumber": "TEST-0001",
         *         "operatorNotes": "Submitted after MFA."
         *       },
         *       "reportedBy": "op-7",
         *       "metadata": {
         *         "case": "case-0042"
         *       },
         *       "handoffId": "mhand_55"
         *     }
         */
        HandoffClose: {
            /** @description The result; its `type` selects the other fields. */
            result: components["schemas"]["CloseResult"];
            /** @description The member of staff who reports the result, never a patient. A person's own token says it. */
            reportedBy?: string | null;
            /** @description true: close it also if another person has it in hand. For people only. */
            takeOver?: boolean | null;
            /**
             * Format: date-time
             * @description The command expires if it has not begun by this time; default: never.
             */
            expiresAt?: string | null;
            /** @description Copied into the events of this command. */
            metadata?: components["schemas"]["Metadata"] | null;
            /** @description Collate's id of the handoff. */
            handoffId: string;
        };
        /**
         * HandoffCloseBody
         * @description The body of a request that closes the handoff in the path.
         * @example {
         *       "result": {
         *         "type": "completed",
         *         "reportedOutcome": "submitted",
         *         "observedReferenceNumber": "REF-0042"
         *       },
         *       "metadata": {
         *         "case": "case-0042"
         *       }
         *     }
         */
        HandoffCloseBody: {
            /** @description The result; its `type` selects the other fields. */
            result: components["schemas"]["CloseResult"];
            /** @description The member of staff who reports the result, never a patient. A person's own token says it. */
            reportedBy?: string | null;
            /** @description true: close it also if another person has it in hand. For people only. */
            takeOver?: boolean | null;
            /**
             * Format: date-time
             * @description The command expires if it has not begun by this time; default: never.
             */
            expiresAt?: string | null;
            /** @description Copied into the events of this command. */
            metadata?: components["schemas"]["Metadata"] | null;
        };
        /**
         * HandoffCloseEvent
         * @description A CloudEvent with the command: Close a handoff with the operator's report.
         */
        HandoffCloseEvent: {
            /** @constant */
            specversion: "1.0";
            id: string;
            source: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "collate-gateway.handoff.close.v1";
            subject: string;
            /** @constant */
            datacontenttype?: "application/json";
            data: components["schemas"]["HandoffClose"];
        };
        /**
         * HandoffList
         * @description Handoffs in one state. The handoff that entered this state first comes first.
         * @example {
         *       "handoffs": [
         *         {
         *           "authorizationId": "auth_7Q2M",
         *           "handoffId": "mhand_55",
         *           "state": "active",
         *           "openedAt": "2026-06-02T14:06:01Z",
         *           "accessAvailable": true,
         *           "finalSubmitCapable": true,
         *           "grants": 1,
         *           "metadata": {
         *             "case": "case-0042"
         *           }
         *         }
         *       ]
         *     }
         */
        HandoffList: {
            /** @description The handoffs. */
            handoffs: components["schemas"]["HandoffStatus"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            next?: string;
        };
        /**
         * HandoffNow
         * @description The current state of a handoff: the named one, or the running one.
         */
        HandoffNow: {
            /** @description Collate's id of the handoff. */
            id: string;
            /** @description The handoff's state in Collate's words, if readable. */
            state?: string;
            /** @description The handoff's result, in Collate's words. */
            result?: string;
            /** @description Collate's version of the handoff. */
            version?: number;
        };
        /**
         * HandoffReporter
         * @description Who closed a handoff through the gateway.
         */
        HandoffReporter: {
            /** @description The authenticated caller. */
            caller: string;
            /** @description The member of staff who reported the result. */
            reportedBy?: string;
            /** @description person (their own token) or caller (the service stated the name). */
            assertedBy?: components["schemas"]["AssertedBy"];
        };
        /**
         * HandoffRequest
         * @description Request a manual handoff from Collate.
         * @example {
         *       "acceptedReviewSnapshotId": "rev_90",
         *       "acceptedBy": "op-7",
         *       "requestedBy": "op-7",
         *       "expiresAt": "2026-06-02T15:10:00Z",
         *       "dueAt": "2026-06-05T14:00:00Z",
         *       "metadata": {
         *         "case": "case-0042"
         *       }
         *     }
         */
        HandoffRequest: {
            /** @description The review snapshot that a reviewer has accepted; required if the next action covers one. A person needs the permission authorization:review for it. */
            acceptedReviewSnapshotId?: string | null;
            /** @description The reviewer who accepted the snapshot: a member of staff. A person's own token says it; a service must name them. */
            acceptedBy?: string | null;
            /** @description The member of staff who requests the handoff, never a patient. A person's own token says it. */
            requestedBy?: string | null;
            /**
             * Format: date-time
             * @description The command expires if it has not begun by this time; default: one hour after acceptance.
             */
            expiresAt?: string | null;
            /**
             * Format: date-time
             * @description When the authorization must be settled, at most 366 days ahead. It replaces an earlier due date if this command is applied or already done.
             */
            dueAt?: string | null;
            /** @description Copied into the events of this command. */
            metadata?: components["schemas"]["Metadata"] | null;
        };
        /**
         * HandoffRequestEvent
         * @description A CloudEvent with the command: Request a manual handoff from Collate.
         */
        HandoffRequestEvent: {
            /** @constant */
            specversion: "1.0";
            id: string;
            source: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "collate-gateway.handoff.request.v1";
            subject: string;
            /** @constant */
            datacontenttype?: "application/json";
            data?: components["schemas"]["HandoffRequest"];
        };
        /**
         * HandoffRequester
         * @description Who requested a handoff through the gateway.
         */
        HandoffRequester: {
            /** @description The authenticated caller. */
            caller: string;
            /** @description The member of staff who requested it. */
            requestedBy?: string;
            /** @description The reviewer who accepted the snapshot. */
            acceptedBy?: string;
            /** @description person (their own token) or caller (the service stated the names). */
            assertedBy?: components["schemas"]["AssertedBy"];
        };
        /**
         * HandoffState
         * @description The states of a handoff.
         * @enum {string}
         */
        HandoffState: "active" | "closed";
        /**
         * HandoffStatus
         * @description The status of a handoff.
         */
        HandoffStatus: {
            /** @description The authorization's id. */
            authorizationId: string;
            /** @description The handoff's id. */
            handoffId: string;
            /** @description Collate's state while the handoff is open, then closed or reconciled. */
            state: string;
            /**
             * Format: date-time
             * @description When the handoff opened.
             */
            openedAt?: string;
            /** @description Whether an access grant can be created. */
            accessAvailable?: boolean;
            /** @description Whether the operator can submit to the payer. */
            finalSubmitCapable?: boolean;
            /** @description The person who has it in hand; absent without a claim. */
            claim?: components["schemas"]["HandoffClaim"];
            /** @description The number of access grants. */
            grants: number;
            /** @description The most recent access grant. */
            lastGrant?: components["schemas"]["LastGrant"];
            /** @description Who requested it, if the gateway's own command opened it. */
            request?: components["schemas"]["HandoffRequester"];
            /** @description Who closed it, if the gateway's own command closed it. */
            report?: components["schemas"]["HandoffReporter"];
            /** @description Absent if there is no known risk. */
            risk?: components["schemas"]["Risk"];
            /**
             * Format: date-time
             * @description When the gateway published that it ended.
             */
            closedAt?: string;
            /**
             * Format: date-time
             * @description When it closed, by Collate's clock; absent if no read of it showed the end.
             */
            collateClosedAt?: string;
            /** @description The handoff's result, in Collate's words. */
            result?: string;
            /** @description us, other, expiry, loss or cancellation. */
            closedBy?: string;
            /** @description A report, not payer truth. */
            reported?: string;
            /** @description Whether payer truth agrees with the report. */
            agreement?: string;
            /** @description The metadata of the request command. */
            metadata?: components["schemas"]["Metadata"];
        };
        /**
         * IdsFound
         * @description Ids that begin with a text: at most 20 of each kind.
         * @example {
         *       "authorizations": [
         *         "auth_7Q2M"
         *       ],
         *       "commands": []
         *     }
         */
        IdsFound: {
            /** @description Ids of authorizations. */
            authorizations: string[];
            /** @description Ids of commands. */
            commands: string[];
        };
        /**
         * Kept
         * @enum {string}
         */
        Kept: "no" | "unknown";
        /**
         * LastCalls
         * @description The last calls to Collate for a command, all with the same result.
         */
        LastCalls: {
            /** @description The operation at Collate. */
            operation: string;
            /** @description answered, refused, ambiguous (Collate may have applied it) or not_sent. */
            result: string;
            /** @description The HTTP status, if there was a response. */
            status?: number;
            /** @description Collate's error code, or the gateway's own cause. */
            code?: string;
            /** @description The number of these calls that events have shown so far. */
            count: number;
            /**
             * Format: date-time
             * @description When the first of them began.
             */
            since: string;
            /**
             * Format: date-time
             * @description When the last of them began.
             */
            until: string;
        };
        /**
         * LastDelivery
         * @description The last answer of a webhook receiver.
         */
        LastDelivery: {
            /** @description delivered, gone, redirect, status_4xx, status_5xx, or why none came. */
            result: string;
            /** @description The status of the response, if one came. */
            status?: number;
            /** @description How long ago. */
            agoSeconds: number;
        };
        /**
         * LastGrant
         * @description The most recent access grant, without the link.
         */
        LastGrant: {
            /** @description The operator who received the link. */
            operator: string;
            /** @description person (the operator's own token) or caller (the service stated it). */
            assertedBy?: components["schemas"]["AssertedBy"];
            /** @description The authenticated caller that received the link; absent once the grant's event is past retention. */
            caller?: string;
            /**
             * Format: date-time
             * @description When the link expires.
             */
            expiresAt: string;
        };
        /**
         * LastHandoff
         * @description The handoff that ended most recently.
         */
        LastHandoff: {
            /** @description Collate's id of the handoff. */
            id: string;
            /** @description The handoff's result, in Collate's words. */
            result: string;
            /** @description The cause of its end. */
            by?: components["schemas"]["ClosedBy"];
            /**
             * Format: date-time
             * @description When it closed, by Collate's clock; absent if no read of it showed the end.
             */
            closedAt?: string;
            /** @description The operator's report, if known. */
            reported?: components["schemas"]["CloseReport"];
            /** @description The member of staff who reported the result, if known. */
            reportedBy?: string;
            /** @description Who says that it was this person: person (their own token) or caller (the service). */
            assertedBy?: components["schemas"]["AssertedBy"];
            /** @description Absent until Collate has reconciled. */
            agreement?: components["schemas"]["Agreement"];
        };
        /**
         * LiveHandoff
         * @description An authorization and its handoff, read from Collate now. All viewers share one read for 5 s.
         * @example {
         *       "at": "2026-06-02T14:06:10Z",
         *       "authorizationId": "auth_7Q2M",
         *       "version": 24,
         *       "status": "requires_action",
         *       "nextAction": "complete_payer_interaction",
         *       "resolution": "manual_handoff",
         *       "receiptSeen": false,
         *       "decisionSeen": false,
         *       "isHandoffOpen": true,
         *       "activeHandoffId": "mhand_55",
         *       "handoff": {
         *         "id": "mhand_55",
         *         "state": "active",
         *         "version": 2,
         *         "accessAvailable": true,
         *         "finalSubmitCapable": true,
         *         "messageAvailable": true
         *       }
         *     }
         */
        LiveHandoff: {
            /**
             * Format: date-time
             * @description When the gateway began to read from Collate.
             */
            at: string;
            /** @description The authorization's id. */
            authorizationId: string;
            /** @description Collate's version of the authorization. */
            version: number;
            /** @description The authorization's status, in Collate's words. */
            status: string;
            /** @description The outcome, once the authorization is completed. */
            outcome?: string;
            /** @description The type of the next action, if there is one. */
            nextAction?: string;
            /** @description The kind of resolution of the next action. */
            resolution?: string;
            /** @description The snapshot to accept before a handoff. */
            coversReviewSnapshotId?: string;
            /** @description Whether the payer's receipt is present. */
            receiptSeen: boolean;
            /** @description Whether the payer's decision is present. */
            decisionSeen: boolean;
            /** @description The id of the running handoff. */
            activeHandoffId?: string;
            /** @description The payer's id, if Collate shows it. */
            payerId?: string;
            /** @description Whether a handoff is running. true without `activeHandoffId`: its id cannot be read. */
            isHandoffOpen: boolean;
            /** @description The handoff of the path, or the running one; absent if none is running. */
            handoff?: components["schemas"]["LiveHandoffDetails"];
        };
        /**
         * LiveHandoffDetails
         * @description A handoff as Collate shows it now.
         */
        LiveHandoffDetails: {
            /** @description Collate's id of the handoff. */
            id: string;
            /** @description The handoff's state in Collate's words, if readable. */
            state?: string;
            /** @description The handoff's result, in Collate's words. */
            result?: string;
            /** @description Collate's version of the handoff. */
            version?: number;
            /** @description Whether a link into the session can be created. */
            accessAvailable: boolean;
            /** @description Whether the operator can submit in the session. */
            finalSubmitCapable: boolean;
            /**
             * Format: date-time
             * @description When the handoff became active.
             */
            activatedAt?: string;
            /**
             * Format: date-time
             * @description When the handoff was closed.
             */
            closedAt?: string;
            /** @description Whether Collate has a message for the operator, also with `message=omit`. */
            messageAvailable: boolean;
            /** @description Collate's message for the operator; absent with `message=omit`. */
            message?: string;
        };
        /**
         * Me
         * @description The caller of this request.
         * @example {
         *       "caller": "people:jo.miller",
         *       "kind": "person",
         *       "person": "jo.miller",
         *       "permissions": [
         *         "authorization:read",
         *         "handoff:grant"
         *       ],
         *       "limits": {
         *         "requestsPerSecond": 200,
         *         "burst": 400,
         *         "streams": 20,
         *         "waitingRequests": 100,
         *         "unfinishedCommands": 100
         *       }
         *     }
         */
        Me: {
            /** @description The caller's name, as records and events have it. */
            caller: string;
            /** @description person, or caller for a service. */
            kind: components["schemas"]["AssertedBy"];
            /** @description For a person: the name that the gateway writes as operator. */
            person?: string;
            /** @description What the caller may do. Empty for a person in none of the groups that the gateway knows. */
            permissions: string[];
            /** @description true: this gateway is a shadow, which sends no write to Collate. */
            shadow?: boolean;
            /** @description The bounds of this caller. */
            limits: components["schemas"]["CallerLimits"];
        };
        /** Metadata */
        Metadata: {
            [key: string]: string;
        };
        /**
         * MinuteCounts
         * @description The counts of one minute.
         */
        MinuteCounts: {
            /**
             * Format: date-time
             * @description The beginning of the minute.
             */
            at: string;
            /** @description Accepted commands. */
            accepted: number;
            /** @description Finished commands. */
            finished: number;
        };
        /**
         * Needs
         * @description Why an authorization is on the work list.
         * @enum {string}
         */
        Needs: "person" | "handoff" | "open" | "at_risk" | "overdue" | "contradicted";
        /**
         * NotDecided
         * @description A dead letter that was left out: nothing was decided about it.
         */
        NotDecided: {
            /** @description The command's id. */
            commandId: string;
            /** @description The problem, such as not_redrivable. */
            problem: string;
        };
        /**
         * Order
         * @description Which entries come first.
         * @enum {string}
         */
        Order: "oldest" | "newest";
        /**
         * Outcome
         * @description The outcome of a command.
         * @enum {string}
         */
        Outcome: "applied" | "already_done" | "rejected" | "expired" | "discarded";
        /**
         * Overview
         * @description The state of the whole gateway.
         * @example {
         *       "at": "2026-06-02T15:00:00Z",
         *       "unfinished": {
         *         "waiting": 1
         *       },
         *       "waiting": {
         *         "budget": 1
         *       },
         *       "oldest": [],
         *       "deadLetters": [],
         *       "fullCallers": [],
         *       "lastMinute": {
         *         "accepted": 12,
         *         "finished": 12,
         *         "events": 30,
         *         "attempts": 25
         *       },
         *       "activeHandoffs": 3,
         *       "work": {
         *         "person": 12,
         *         "contradicted": 1,
         *         "waitingSince": "2026-06-02T14:06:01Z",
         *         "atRisk": 1,
         *         "overdue": 2,
         *         "closedToday": 9,
         *         "agreedToday": 7,
         *         "claims": [
         *           {
         *             "caller": "people:jo.miller",
         *             "by": "jo.miller",
         *             "handoffs": 2
         *           }
         *         ],
         *         "turnedAway": [
         *           {
         *             "payerId": "payer_example",
         *             "reason": "credential_or_mfa_issue",
         *             "handoffs": 3,
         *             "since": "2026-06-02T14:02:00Z",
         *             "lastSubmittedAt": "2026-06-02T11:50:00Z"
         *           }
         *         ]
         *       },
         *       "projector": {
         *         "at": "2026-06-02T14:59:58Z",
         *         "behind": 0
         *       }
         *     }
         */
        Overview: {
            /**
             * Format: date-time
             * @description When the read model was read.
             */
            at: string;
            /** @description The number of commands that have not ended, by status. */
            unfinished: {
                [key: string]: number;
            };
            /** @description The number of waiting commands, by reason. */
            waiting: {
                [key: string]: number;
            };
            /** @description The longest waiting commands. Each blocks its authorization. */
            oldest: components["schemas"]["UnfinishedCommand"][];
            /** @description The dead-lettered commands, oldest first. */
            deadLetters: components["schemas"]["UnfinishedCommand"][];
            /** @description The callers whose commands are rejected because their share is full. */
            fullCallers?: components["schemas"]["FullCaller"][];
            lastMinute: components["schemas"]["Rates"];
            /** @description With `history=1h`: the counts of the last 60 minutes, oldest first, the present minute included. */
            history?: components["schemas"]["MinuteCounts"][];
            /** @description The number of open handoffs. */
            activeHandoffs: number;
            work: components["schemas"]["PeopleWork"];
            projector: components["schemas"]["Projector"];
            /** @description What is wrong with the gateway's parts, the worst first: kafka_away (commands are refused), no_worker (accepted commands wait), collate_away, no_deliverer. */
            faults?: string[];
            /** @description The webhook subscriptions; absent in an installation without a deliverer. */
            webhooks?: components["schemas"]["Webhooks"];
        };
        /**
         * PayerEvidence
         * @description What the payer said, unchanged from Collate. Only this is the payer's truth; a report is not.
         * @example {
         *       "authorizationId": "auth_7Q2M",
         *       "version": 27,
         *       "status": "waiting_on_payer",
         *       "payerReceipt": {
         *         "receivedAt": "2026-06-02T14:30:00Z"
         *       }
         *     }
         */
        PayerEvidence: {
            /** @description The authorization's id. */
            authorizationId: string;
            /** @description Collate's version of the authorization. */
            version: number;
            /** @description The authorization's status, in Collate's words. */
            status: string;
            /** @description The outcome, once the authorization is completed. */
            outcome?: string;
            /** @description The payer's receipt as Collate shows it. */
            payerReceipt?: unknown;
            /** @description The payer's decision as Collate shows it. */
            decision?: unknown;
        };
        /**
         * PeopleWork
         * @description The numbers of the work lists.
         */
        PeopleWork: {
            /** @description The authorizations that need a person; 1000 means 1000 or more. */
            person: number;
            /** @description The contradicted reports; 1000 means 1000 or more. */
            contradicted: number;
            /**
             * Format: date-time
             * @description Since when the authorization that waits longest needs a person; absent without one.
             */
            waitingSince?: string;
            /** @description The open handoffs at risk; 1000 means 1000 or more. */
            atRisk: number;
            /** @description Those of the authorizations that need a person whose due date has passed; 1000 means 1000 or more. */
            overdue: number;
            /** @description The handoffs that ended since 00:00 UTC. */
            closedToday: number;
            /** @description Those of them whose report agrees with the payer's truth. */
            agreedToday: number;
            /** @description Who has open handoffs in hand, by name; at most 100 people. */
            claims: components["schemas"]["Claimant"][];
            /** @description The payers that turn people away, the one with the most handoffs first; at most 20. The first reported submission there ends it. */
            turnedAway?: components["schemas"]["TurnedAway"][];
        };
        /**
         * ProblemDetails
         * @description A problem (RFC 9457).
         * @example {
         *       "type": "urn:collate-gateway:problem:invalid-command",
         *       "title": "The command does not fit its schema",
         *       "status": 422,
         *       "detail": "Correct the fields named in `errors`; nothing was stored.",
         *       "requestId": "8deacda0e5f320c0",
         *       "errors": [
         *         {
         *           "pointer": "/result/reason",
         *           "detail": "expected a value: the field is required"
         *         }
         *       ]
         *     }
         */
        ProblemDetails: {
            /** @description The problem's URN. It is stable. */
            type: string;
            /** @description A short title, the same for each occurrence. */
            title: string;
            /** @description The HTTP status. */
            status: number;
            /** @description What to do next. */
            detail: string;
            /** @description The request's id, for support requests. */
            requestId: string;
            /** @description The errors in the request. */
            errors?: components["schemas"]["ProblemFault"][];
            /** @description For a command with status 503: whether this try may be in Kafka. */
            kept?: components["schemas"]["Kept"];
            /** @description Of a missing command: records not yet projected. */
            behind?: number;
            /** @description How long ago `behind` was reported. */
            agoSeconds?: number;
            /** @description For a live call: the reason, for programs. */
            reason?: string;
            /** @description For a live call: the handoff's id. */
            handoffId?: string;
            /** @description For a claimed handoff: the person who has it in hand. */
            claimedBy?: string;
            /**
             * Format: date-time
             * @description For a claimed handoff: since when.
             */
            claimedSince?: string;
            /** @description For a closed handoff: its result in Collate's words. */
            result?: string;
            /** @description Collate's own reason, if there is one. */
            detailsReason?: string;
            /** @description For a live call: Collate's request id. */
            collateRequestId?: string;
        };
        /**
         * ProblemFault
         * @description One error in a request: its place and the expected value.
         */
        ProblemFault: {
            /** @description A JSON pointer (RFC 6901) into the request's body. */
            pointer?: string;
            /** @description A request header. */
            header?: string;
            /** @description A parameter of the path or the query. */
            parameter?: string;
            /** @description The expected value, never the value found. */
            detail: string;
        };
        /**
         * Projector
         * @description The freshness of the read model.
         */
        Projector: {
            /**
             * Format: date-time
             * @description When the projector last reported.
             */
            at?: string;
            /** @description The records that the projector had not read then. */
            behind?: number;
        };
        /**
         * Rates
         * @description The counts of the last minute.
         */
        Rates: {
            /** @description Accepted commands. */
            accepted: number;
            /** @description Finished commands. */
            finished: number;
            /** @description Published events. */
            events: number;
            /** @description Recorded calls to Collate for commands. */
            attempts: number;
        };
        /**
         * RecentCommandsAccepted
         * @description The decision is on the commands topic; `authorization.recent_commands_emptied` follows.
         * @example {
         *       "recordId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "authorizationId": "auth_7Q2M",
         *       "acceptedAt": "2026-06-02T14:06:00Z"
         *     }
         */
        RecentCommandsAccepted: {
            /** @description The decision's id: the `causationid` of the event. */
            recordId: string;
            /** @description The authorization. */
            authorizationId: string;
            /**
             * Format: date-time
             * @description When the decision was accepted.
             */
            acceptedAt: string;
        };
        /**
         * RecentCommandsDecision
         * @description An operator's decision to let the gateway forget recent commands of an authorization.
         * @example {
         *       "operator": "op-7",
         *       "reason": "checked_by_hand",
         *       "ticket": "OPS-1204",
         *       "ofCaller": "intake"
         *     }
         */
        RecentCommandsDecision: {
            /** @description The operator who decides: a member of staff as named in your systems. Required from a service; a person's own token says it. */
            operator?: string | null;
            /** @description The reason, in the event and timeline. */
            reason: components["schemas"]["DecisionReason"];
            /** @description A ticket in your own tracker; it names no person. */
            ticket?: string | null;
            /** @description The reason in free text; only on the commands topic. */
            why?: string | null;
            /** @description Forget only the commands of this caller; without it those of all callers. */
            ofCaller?: string | null;
        };
        /**
         * ReleaseAccepted
         * @description The release is recorded. `handoff.released` follows if the person had claimed the handoff.
         * @example {
         *       "authorizationId": "auth_7Q2M",
         *       "handoffId": "mhand_55"
         *     }
         */
        ReleaseAccepted: {
            /** @description The authorization's id. */
            authorizationId: string;
            /** @description The handoff's id. */
            handoffId: string;
        };
        /**
         * ReleaseBody
         * @description The request to give back a claimed handoff: no fields.
         */
        ReleaseBody: Record<string, never>;
        /**
         * ReportedOutcome
         * @description The result that an operator saw at the payer.
         * @enum {string}
         */
        ReportedOutcome: "submitted" | "decision_observed" | "not_required_observed" | "follow_up_required_observed";
        /**
         * Review
         * @description The content that a reviewer must read before a submission, unchanged from Collate.
         * @example {
         *       "authorizationId": "auth_7Q2M",
         *       "version": 23,
         *       "coversReviewSnapshotId": "rev_90",
         *       "reviewSnapshot": {
         *         "id": "rev_90",
         *         "status": "current",
         *         "summary": {}
         *       }
         *     }
         */
        Review: {
            /** @description The authorization's id. */
            authorizationId: string;
            /** @description Collate's version of the authorization. */
            version: number;
            /** @description The snapshot to accept before a handoff. */
            coversReviewSnapshotId?: string;
            /** @description Collate's snapshot. A reviewer accepts its `id`. */
            reviewSnapshot: {
                [key: string]: unknown;
            };
        };
        /**
         * Revoked
         * @description The handoff is withdrawn.
         */
        Revoked: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "revoked";
            /** @description Free text for Collate; no event contains it. */
            reason: string;
            /** @description Free text for Collate; no event contains it. */
            notes?: string | null;
        };
        /**
         * Risk
         * @description The reason why Collate may soon end a handoff.
         */
        Risk: {
            /** @description The reason. */
            reason: string;
            /**
             * Format: date-time
             * @description When Collate is expected to end the handoff, by a setting of the gateway.
             */
            endsAt?: string;
        };
        /**
         * Timeline
         * @description The history of an authorization, in order.
         * @example {
         *       "authorizationId": "auth_7Q2M",
         *       "entries": [
         *         {
         *           "at": "2026-06-02T14:06:01Z",
         *           "kind": "collate-gateway.handoff.opened.v1",
         *           "says": "The handoff mhand_55 opened.",
         *           "sequence": 4,
         *           "data": {
         *             "handoffId": "mhand_55"
         *           }
         *         }
         *       ]
         *     }
         */
        Timeline: {
            /** @description The authorization's id. */
            authorizationId: string;
            /** @description The entries, oldest first. */
            entries: components["schemas"]["TimelineEntry"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            next?: string;
        };
        /**
         * TimelineEntry
         * @description A command, an attempt or an event of an authorization.
         */
        TimelineEntry: {
            /**
             * Format: date-time
             * @description The time of the entry: of an event, never earlier than of those before it.
             */
            at: string;
            /** @description attempt, command.accepted, command.redrive_requested, command.discard_requested, or an event. */
            kind: string;
            /** @description A description of the entry in one sentence. */
            says: string;
            /** @description The command that the entry belongs to. */
            commandId?: string;
            /** @description For an event: its number. */
            sequence?: number;
            /** @description The public fields of the record. */
            data: {
                [key: string]: unknown;
            };
        };
        /**
         * Trouble
         * @description A handoff of one person that needs them first.
         */
        Trouble: {
            /** @description at_risk, ended (without the person's report) or contradicted. */
            kind: components["schemas"]["TroubleKind"];
            /** @description Collate's id of the authorization. */
            authorizationId: string;
            /** @description Collate's id of the handoff. */
            handoffId: string;
            /** @description The reason of the risk, who ended the handoff, or what the person reported. */
            reason?: string;
            /**
             * Format: date-time
             * @description When Collate is expected to end the handoff, or when it ended.
             */
            at?: string;
        };
        /**
         * TroubleKind
         * @description What is wrong with a handoff.
         * @enum {string}
         */
        TroubleKind: "at_risk" | "ended" | "contradicted";
        /**
         * TroubleList
         * @description The handoffs of one person that need them first: of each kind the newest 25.
         * @example {
         *       "troubles": [
         *         {
         *           "kind": "at_risk",
         *           "authorizationId": "auth_7Q2M",
         *           "handoffId": "mhand_55",
         *           "reason": "not_entered",
         *           "at": "2026-06-02T14:36:01Z"
         *         }
         *       ]
         *     }
         */
        TroubleList: {
            /** @description Those at risk, then those that ended, then those contradicted. */
            troubles: components["schemas"]["Trouble"][];
        };
        /**
         * TurnedAway
         * @description A payer at which the last handoffs ended for a reason that the next person meets too, as people reported.
         */
        TurnedAway: {
            /** @description The payer's id. */
            payerId: string;
            /** @description What all of them reported: channel_blocked, credential_or_mfa_issue, channel_outage. */
            reason: string;
            /** @description The handoffs in a row that ended so in the last two hours, at least 3. */
            handoffs: number;
            /**
             * Format: date-time
             * @description When the first of them ended.
             */
            since: string;
            /**
             * Format: date-time
             * @description The last reported submission at this payer; absent without one.
             */
            lastSubmittedAt?: string;
        };
        /**
         * UnableToComplete
         * @description The operator could not complete the payer interaction.
         */
        UnableToComplete: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "unable_to_complete";
            /** @description channel_blocked, missing_information, credential_or_mfa_issue, channel_outage, operator_abandoned_case, wrong_route, other, or a newer reason of Collate's. */
            reason: string;
            /** @description Free text for Collate; no event contains it. */
            operatorNotes?: string | null;
        };
        /**
         * UnfinishedCommand
         * @description A command that has not ended.
         */
        UnfinishedCommand: {
            /** @description The command's id. */
            commandId: string;
            /** @description The authorization; its later commands wait for this command. */
            authorizationId: string;
            /** @description The command's type. */
            type: string;
            /** @description The caller that sent the command. */
            caller: string;
            /** @description accepted, waiting or dead_lettered. */
            status: string;
            /**
             * Format: date-time
             * @description When the command was accepted.
             */
            acceptedAt?: string;
            /** @description Why the command has not ended, if known. */
            waiting?: components["schemas"]["WaitsFor"];
        };
        /**
         * VersionFloorAccepted
         * @description The decision is on the commands topic; `authorization.version_floor_lowered` follows.
         * @example {
         *       "recordId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
         *       "authorizationId": "auth_7Q2M",
         *       "acceptedAt": "2026-06-02T14:06:00Z"
         *     }
         */
        VersionFloorAccepted: {
            /** @description The decision's id: the `causationid` of the event. */
            recordId: string;
            /** @description The authorization. */
            authorizationId: string;
            /**
             * Format: date-time
             * @description When the decision was accepted.
             */
            acceptedAt: string;
        };
        /**
         * VersionFloorDecision
         * @description An operator's decision to accept lower versions of an authorization, after Collate was restored from a backup.
         * @example {
         *       "operator": "op-7",
         *       "reason": "checked_by_hand",
         *       "ticket": "OPS-1204",
         *       "toVersion": 20
         *     }
         */
        VersionFloorDecision: {
            /** @description The operator who decides: a member of staff as named in your systems. Required from a service; a person's own token says it. */
            operator?: string | null;
            /** @description The reason, in the event and timeline. */
            reason: components["schemas"]["DecisionReason"];
            /** @description A ticket in your own tracker; it names no person. */
            ticket?: string | null;
            /** @description The reason in free text; only on the commands topic. */
            why?: string | null;
            /** @description The lowest version to accept: the one that Collate shows now, or less. */
            toVersion: number;
        };
        /**
         * WaitsFor
         * @description The reason why a command has not ended.
         */
        WaitsFor: {
            /** @description The reason why the command waits. */
            reason: string;
            /** @description The reason in one sentence. */
            advice?: string;
            /**
             * Format: date-time
             * @description When the gateway retries.
             */
            until?: string;
            /** @description What the last calls to Collate returned, if there were calls. */
            lastCalls?: components["schemas"]["LastCalls"];
        };
        /**
         * WebhookSubscription
         * @description The state of a webhook subscription, of all deliverers together.
         */
        WebhookSubscription: {
            /** @description The name of the subscription. */
            name: string;
            /** @description The receiver: scheme, host and port. */
            url: string;
            /** @description delivering, retrying, held, down, stopped (410), starting or halted; the worst of its deliverers. */
            state: string;
            /** @description The age of the oldest event that is not delivered; 0 without. */
            oldestSeconds: number;
            /** @description The records of `events` that are not finished. */
            undelivered: number;
            /** @description The receiver's last answer. */
            lastAnswer?: components["schemas"]["LastDelivery"];
            /** @description The events delivered since the deliverers started. */
            delivered: number;
            /** @description The events that became dead letters since the deliverers started. */
            deadLetters: number;
        };
        /**
         * Webhooks
         * @description The webhook subscriptions.
         */
        Webhooks: {
            /** @description The subscriptions, by name. */
            subscriptions: components["schemas"]["WebhookSubscription"][];
            /** @description The deliverers that do not answer. */
            unreachable: number;
        };
        /**
         * WorkItem
         * @description An authorization on the work list: its latest record, and its open handoff.
         */
        WorkItem: {
            /** @description The number of the last event that this state includes. */
            sequence: number;
            /** @description Collate's version of the authorization that showed this state. It may have risen since, without another change. */
            version: number;
            /** @description The authorization's status, in Collate's words. */
            status: string;
            /** @description The outcome, once the authorization is completed. */
            outcome?: string;
            /** @description The type of the next action, if there is one. */
            nextAction?: string;
            /** @description The kind of resolution of the next action. */
            resolution?: string;
            /** @description The snapshot to accept before a handoff. */
            coversReviewSnapshotId?: string;
            /**
             * Format: date-time
             * @description Since when Collate has required an action of this type; absent while a handoff is open or its report is not reconciled.
             */
            actionRequiredAt?: string;
            /** @description Collate's id of the payer, if Collate shows it. */
            payerId?: string;
            /** @description Whether the payer's receipt is present. */
            receiptSeen: boolean;
            /** @description Whether the payer's decision is present. */
            decisionSeen: boolean;
            /** @description The running handoff. */
            activeHandoff?: components["schemas"]["ActiveHandoff"];
            /** @description The handoff that ended most recently. */
            lastHandoff?: components["schemas"]["LastHandoff"];
            /**
             * Format: date-time
             * @description When it is due: the `dueAt` of the latest command that had one and was applied.
             */
            dueAt?: string;
            /**
             * Format: date-time
             * @description When `authorization.overdue` was published for this due date.
             */
            overdueAt?: string;
            /**
             * Format: date-time
             * @description When a read first showed the end.
             */
            settledAt?: string;
            /**
             * Format: date-time
             * @description When the gateway began to watch it.
             */
            watchedSince: string;
            /**
             * Format: date-time
             * @description When the gateway stopped watching before it settled; its state may have changed since.
             */
            watchEndedAt?: string;
            /**
             * Format: date-time
             * @description When this record was written.
             */
            updatedAt: string;
            /** @description The authorization's id. */
            authorizationId: string;
            /** @description The metadata of its newest command that has some. */
            metadata?: components["schemas"]["Metadata"];
            /**
             * Format: date-time
             * @description Since when it has been on this list: since when Collate requires the action, since the opening of the open handoff, or since the end of the contradicted one.
             */
            waitingSince: string;
            /** @description The open handoff, if there is one. */
            handoff?: components["schemas"]["HandoffStatus"];
        };
        /**
         * WorkOrder
         * @description What comes first on the work list.
         * @enum {string}
         */
        WorkOrder: "urgent" | "due" | "wait" | "payer";
        /** @description The data of each type of event. */
        EventDataByType: {
            "collate-gateway.authorization.action_required.v1": components["schemas"]["AuthorizationActionRequired"];
            "collate-gateway.authorization.changed.v1": components["schemas"]["AuthorizationChanged"];
            "collate-gateway.authorization.content_read.v1": components["schemas"]["ContentRead"];
            "collate-gateway.authorization.overdue.v1": components["schemas"]["AuthorizationOverdue"];
            "collate-gateway.authorization.recent_commands_emptied.v1": components["schemas"]["RecentCommandsEmptied"];
            "collate-gateway.authorization.settled.v1": components["schemas"]["AuthorizationSettled"];
            "collate-gateway.authorization.version_floor_lowered.v1": components["schemas"]["VersionFloorLowered"];
            "collate-gateway.authorization.watch_ended.v1": components["schemas"]["AuthorizationWatchEnded"];
            "collate-gateway.command.dead_lettered.v1": components["schemas"]["CommandDeadLettered"];
            "collate-gateway.command.finished.v1": components["schemas"]["CommandFinished"];
            "collate-gateway.command.key_conflict.v1": components["schemas"]["CommandKeyConflict"];
            "collate-gateway.command.waiting.v1": components["schemas"]["CommandWaiting"];
            "collate-gateway.handoff.access_changed.v1": components["schemas"]["HandoffAccessChanged"];
            "collate-gateway.handoff.access_granted.v1": components["schemas"]["HandoffAccessGranted"];
            "collate-gateway.handoff.at_risk.v1": components["schemas"]["HandoffAtRisk"];
            "collate-gateway.handoff.claimed.v1": components["schemas"]["HandoffClaimed"];
            "collate-gateway.handoff.closed.v1": components["schemas"]["HandoffClosed"];
            "collate-gateway.handoff.opened.v1": components["schemas"]["HandoffOpened"];
            "collate-gateway.handoff.reconciled.v1": components["schemas"]["HandoffReconciled"];
            "collate-gateway.handoff.released.v1": components["schemas"]["HandoffReleased"];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
