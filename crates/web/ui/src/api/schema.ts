// Made by `npm run schema` from the service’s OpenAPI document; not edited by hand.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Acknowledge: {
            /** @description Why it can wait. */
            reason: string;
            /**
             * Format: int64
             * @description Until when; open-ended if null.
             */
            until?: number | null;
        };
        /** @description Somebody has seen it and says why it can wait. */
        AcknowledgementView: {
            /** Format: int64 */
            at: number;
            by: string;
            reason: string;
            /** Format: int64 */
            until?: number | null;
        };
        ActiveView: {
            fault: string;
            target: components["schemas"]["TargetView"];
        };
        Added: {
            /** @description To be used once; shown only here. */
            password: string;
            user: components["schemas"]["User"];
        };
        /** @description How often a suggested cause was found to be this one. */
        AgreementView: {
            /** @description What was found is what had been suggested. */
            agrees: boolean;
            /** Format: int32 */
            count: number;
            found: components["schemas"]["LikelyWord"];
            suggested: components["schemas"]["LikelyWord"];
        };
        /** @description The archive in short. */
        ArchiveView: {
            /** Format: int64 */
            bytes: number;
            /** Format: int64 */
            free_bytes: number;
            /** Format: int64 */
            oldest?: number | null;
            /** Format: int64 */
            records: number;
            /** @description ok, full or failed. */
            state: string;
        };
        /** @description A box on the picture: shares of its width and height, 0 to 1, from its upper left corner. */
        AreaView: {
            /** Format: float */
            height: number;
            /** Format: float */
            left: number;
            /** Format: float */
            top: number;
            /** Format: float */
            width: number;
        };
        AskExcuse: {
            /** Format: int64 */
            from: number;
            /** @description planned (work that was not announced in time) or third_party. */
            kind: string;
            reason: string;
            scope: components["schemas"]["Place"];
            /** Format: int64 */
            until: number;
        };
        /** @description A technician to whom orders may be given. */
        AssignableView: {
            /** Format: int32 */
            id: number;
            name: string;
            /**
             * Format: int32
             * @description Open orders that he has.
             */
            open: number;
            unit: string;
        };
        /** @description Who is to do it. */
        AssigneeView: {
            /** @description technician or contractor. */
            kind: string;
            /** @description His name, or the contractor's. */
            name: string;
            /**
             * Format: int32
             * @description The technician's number.
             */
            user?: number | null;
        };
        Assignees: {
            contractors: string[];
            technicians: components["schemas"]["AssignableView"][];
        };
        /** @description Whether the log is as it was written. */
        AuditVerification: {
            /**
             * Format: int64
             * @description The newest day whose manifest names a record, and which.
             */
            anchored_to?: number | null;
            /**
             * Format: int32
             * @description Manifests that name a record of the log.
             */
            anchors: number;
            /** @description Days whose manifest names another hash than the log has. */
            anchors_wrong: string[];
            /**
             * Format: int64
             * @description Number of the first record that does not fit the one before; null if all do.
             */
            first_wrong?: number | null;
            /**
             * Format: int64
             * @description Records in it.
             */
            records: number;
        };
        /** @description One entry of the audit log. */
        AuditView: {
            action: string;
            address: string;
            /** Format: int64 */
            at: number;
            detail: string;
            object: string;
            reason: string;
            /** Format: int64 */
            seq: number;
            success: boolean;
            who: string;
            who_detail: string;
        };
        Baseline: {
            action: components["schemas"]["BaselineAction"];
            reason: string;
            /**
             * @description To accept: the archived snapshot that was looked at. What the camera shows now must be the same scene by the same
             *     light; what is usual by other lights stays.
             */
            seen?: string | null;
        };
        /** @enum {string} */
        BaselineAction: "accept" | "reset";
        /** @description What the camera usually shows. */
        BaselineView: {
            /** Format: int64 */
            accepted?: number | null;
            /** @description Who accepted it, if a person did. */
            accepted_by?: string | null;
            /**
             * Format: int32
             * @description Pictures in colour in the dark learned from.
             */
            dark: number;
            /**
             * Format: int32
             * @description Pictures by daylight learned from.
             */
            day: number;
            /**
             * Format: int32
             * @description Grey pictures by infrared learned from.
             */
            infrared: number;
            /** @description By which light the newest picture was taken. */
            light: components["schemas"]["LightWord"];
            /**
             * Format: int32
             * @description From so many on the scene is held against it.
             */
            needed: number;
            reference?: null | components["schemas"]["SnapshotName"];
            /**
             * Format: int32
             * @description From so many on it knows the camera's hours and weathers; until then it is still being learned.
             */
            settled: number;
        };
        BySeverity: {
            /** Format: int32 */
            critical: number;
            /** Format: int32 */
            major: number;
            /** Format: int32 */
            minor: number;
        };
        CameraEdits: {
            /** @description Whose records, 1 to 2000. */
            cameras: number[];
            /**
             * @description New cells by the English name of the import's column; an empty one takes the value away. An account keeps its
             *     password where none is given.
             */
            cells: {
                [key: string]: string;
            };
            /** @description Only show what would happen (the default). */
            dry_run?: boolean | null;
        };
        CameraName: {
            /** @description Degrees east and north, WGS-84. */
            at?: number[] | null;
            /** Format: int32 */
            id: number;
            name: string;
            /** Format: int32 */
            site: number;
            /** Format: int32 */
            uplink?: number | null;
        };
        CameraPage: {
            camera: components["schemas"]["CameraRecord"];
            carriage?: null | components["schemas"]["CarriageView"];
            certificate?: null | components["schemas"]["CertificateView"];
            figures?: null | components["schemas"]["FiguresView"];
            /** @description What its streams are made of and were before, newest first. */
            formats: components["schemas"]["FormatView"][];
            /** @description Open incidents that it is in. */
            incidents: components["schemas"]["IncidentView"][];
            state: components["schemas"]["CameraState"];
            /** @description Which of its streams is pulled continuously. */
            stream: components["schemas"]["StreamWord"];
        };
        /** @description The register's record of a camera. Its account never leaves the service. */
        CameraRecord: {
            device: components["schemas"]["DeviceView"];
            /** @description GB/T 28181 code, as written. */
            gb_code?: string | null;
            /** @description What is wrong with it. */
            gb_fault?: string | null;
            has_credentials: boolean;
            /** Format: int32 */
            id: number;
            life_cycle: components["schemas"]["LifeCycleWord"];
            /** @description Addresses of the streams; not told to auditors, who see no configuration. */
            main_url?: string | null;
            name: string;
            place: components["schemas"]["PlaceView"];
            /** Format: int32 */
            site: number;
            sub_url?: string | null;
            /** Format: int32 */
            town: number;
            transport: components["schemas"]["TransportWord"];
            upkeep: components["schemas"]["UpkeepView"];
            /** Format: int32 */
            uplink?: number | null;
        };
        /** @description One camera now. */
        CameraState: {
            /** @description Other faults that were confirmed too, while its video arrives. */
            besides: components["schemas"]["CauseWord"][];
            cause?: null | components["schemas"]["CauseWord"];
            /** @description A change is suspected and being confirmed. */
            confirming: boolean;
            detail: string;
            /** @description It changes too often to be told each time. */
            flapping: boolean;
            /** Format: int32 */
            id: number;
            /** Format: int64 */
            last_picture?: number | null;
            /** Format: int64 */
            last_snapshot?: number | null;
            layer?: null | components["schemas"]["LayerWord"];
            /** Format: int64 */
            next_try?: number | null;
            /**
             * Format: int64
             * @description Milliseconds since the epoch, like every time.
             */
            since: number;
            status: components["schemas"]["StatusWord"];
            /**
             * Format: int64
             * @description Version of the thumbnail for its address; 0 if there is none.
             */
            thumb: number;
        };
        /** @description How the packets of the running session travel. */
        CarriageView: {
            /** @description Why it is not the registered one; null if it is. */
            fallback?: string | null;
            transport: components["schemas"]["TransportWord"];
        };
        /** @description A cause: where it shows, what it makes of a camera, what to do. */
        CauseText: {
            code: components["schemas"]["CauseWord"];
            en: string;
            layer: components["schemas"]["LayerWord"];
            next_en: string;
            next_zh: string;
            status: components["schemas"]["StatusWord"];
            zh: string;
        };
        /** @enum {string} */
        CauseWord: "address_invalid" | "address_forbidden" | "name_unresolved" | "host_unreachable" | "no_answer" | "port_closed" | "rtsp_no_answer" | "not_rtsp" | "rtsp_error" | "connection_lost" | "tls_failed" | "redirect_refused" | "stream_not_found" | "session_limit" | "password_refused" | "access_forbidden" | "account_locked" | "auth_unsupported" | "no_video" | "sdp_malformed" | "unsupported_codec" | "setup_refused" | "play_refused" | "no_rtp" | "stalled" | "stream_ended" | "packet_loss" | "low_frame_rate" | "no_keyframe" | "bad_rtp" | "decode_failed" | "decoder_crashed" | "picture_black" | "picture_frozen" | "picture_too_dark" | "picture_too_bright" | "picture_blurred" | "picture_covered" | "picture_colour_cast" | "picture_noise" | "picture_stripes" | "scene_moved" | "same_picture" | "clock_wrong" | "own_network" | "own_disk" | "archive_damaged" | "own_database" | "own_decoder" | "own_clock" | "own_machine" | "implausible_change" | "not_yet_checked" | "not_running" | "maintenance" | "out_of_use";
        /** @description The certificate that a camera is held to. */
        CertificateView: {
            /**
             * Format: int64
             * @description When it was first seen.
             */
            seen: number;
            /** @description SHA-256, in hexadecimal digits. */
            sha256: string;
        };
        /** @description A change of the register. */
        ChangeView: {
            /**
             * Format: int32
             * @description Cameras that were new.
             */
            added: number;
            /** Format: int64 */
            at: number;
            by: string;
            /**
             * Format: int32
             * @description Records that were there and changed.
             */
            changed: number;
            detail: string;
            /** Format: int32 */
            id: number;
            kind: components["schemas"]["ChangeWord"];
            /**
             * Format: int32
             * @description The change that it took back.
             */
            undoes?: number | null;
            /**
             * Format: int32
             * @description The change that took it back.
             */
            undone_by?: number | null;
        };
        /** @enum {string} */
        ChangeWord: "import" | "edit" | "undo";
        /** @description A camera that is not as it was. */
        ChangedCamera: {
            before: components["schemas"]["StatusWord"];
            /** Format: int32 */
            camera: number;
            cause?: null | components["schemas"]["CauseWord"];
            now: components["schemas"]["StatusWord"];
            /** Format: int64 */
            since: number;
        };
        Changes: {
            items: components["schemas"]["ChangeView"][];
        };
        ChannelInput: {
            enabled: boolean;
            /** @description zh-CN or en. */
            language: string;
            name: string;
            route: components["schemas"]["RouteView"];
            /** @description Where messages go: `kind` and what belongs to it. Null when changing: as before. */
            target?: unknown;
        };
        /** @description A channel. Addresses beyond the server's name, tokens and passwords never leave the service. */
        ChannelView: {
            enabled: boolean;
            /** Format: int32 */
            id: number;
            /** @description webhook, email, dingtalk, wecom, feishu or alertmanager. */
            kind: string;
            language: string;
            name: string;
            route: components["schemas"]["RouteView"];
            /** @description What may be shown of its target. */
            shown: string;
        };
        Class: {
            cause: components["schemas"]["CauseWord"];
            /**
             * Format: float
             * @description The limit that holds for this camera.
             */
            limit?: number | null;
            /** @description Whether it is judged on this camera. */
            on: boolean;
        };
        /** @description One class as it is judged on one camera. */
        ClassRule: {
            cause: components["schemas"]["CauseWord"];
            /** Format: float */
            highest?: number | null;
            /**
             * Format: float
             * @description The limit set for this camera; null: it follows the configuration and what the camera usually shows.
             */
            limit?: number | null;
            /**
             * Format: float
             * @description Limits that can be set.
             */
            lowest?: number | null;
            /** @description Switched off for every camera in the configuration; it cannot be switched on here. */
            off_for_all: boolean;
            /** @description Judged on this camera. */
            on: boolean;
            /**
             * Format: float
             * @description The configuration's limit; null for a class without one.
             */
            usual?: number | null;
        };
        ClassView: {
            cause: components["schemas"]["CauseWord"];
            /** Format: int64 */
            confirmed: number;
            /** Format: int64 */
            false_alarms: number;
        };
        /** @enum {string} */
        ClassWord: "routine" | "status_change" | "incident";
        Classes: {
            /** @description What differs from every other camera; whatever is not named is judged as everywhere. */
            classes: components["schemas"]["Class"][];
            reason: string;
        };
        ClockView: {
            /** @description A time server keeps it; null where the kernel does not tell. */
            kept?: boolean | null;
            /** Format: int64 */
            now: number;
            /**
             * Format: int64
             * @description What still is to be corrected, in microseconds; positive: the clock is slow.
             */
            offset_us?: number | null;
            /**
             * Format: int64
             * @description It is right to so many microseconds, as far as the kernel knows; null while nobody keeps it.
             */
            within_us?: number | null;
        };
        /** @enum {string} */
        CodecWord: "h264" | "h265" | "jpeg";
        /** @enum {string} */
        ConfidenceWord: "possible" | "likely" | "certain";
        Confirm: {
            /** @description Class of the verdict. */
            cause: components["schemas"]["CauseWord"];
            /** @description What was seen; need not be said. */
            reason?: string | null;
        };
        /** @description What the technician found. */
        ConfirmedView: {
            /** Format: int64 */
            at: number;
            by: string;
            found: components["schemas"]["LikelyWord"];
            note: string;
            suggested: components["schemas"]["LikelyWord"];
        };
        /** @description WGS-84. */
        CoordinatesView: {
            /** Format: double */
            latitude: number;
            /** Format: double */
            longitude: number;
            source?: string | null;
        };
        /** @description Cameras by status. */
        CountsView: {
            /** Format: int32 */
            impaired: number;
            /** Format: int32 */
            offline: number;
            /** Format: int32 */
            online: number;
            /** Format: int32 */
            paused: number;
            /** Format: int32 */
            unknown: number;
        };
        Database: {
            /** Format: int64 */
            bytes: number;
            detail: string;
            engine: string;
            /** Format: int64 */
            last_write?: number | null;
            /**
             * Format: double
             * @description How long it took until it was on the disk.
             */
            last_write_ms?: number | null;
            /**
             * Format: int64
             * @description Written ahead, not in the database yet.
             */
            log_bytes: number;
            /** @description ok or failed. */
            state: string;
        };
        DecideExcuse: {
            granted: boolean;
            /** @description Why. */
            reason: string;
        };
        Decision: {
            approve: boolean;
            /** @description Why; needed to refuse. */
            reason?: string;
        };
        /** @description What another person decided. */
        DecisionView: {
            /** Format: int64 */
            at: number;
            by: string;
            /** @description The time is out of the figures. */
            granted: boolean;
            note: string;
        };
        Decoders: {
            /** Format: int64 */
            decoded: number;
            /** Format: int64 */
            failed: number;
            queue: number;
            /** Format: int64 */
            restarts: number;
            sandbox: components["schemas"]["SandboxLayer"][];
            workers: number;
        };
        /** @description How a try-out went. */
        DeliveryTrial: {
            /** @description Everybody has it. */
            delivered: boolean;
            /** @description Why not, or who has not. */
            error?: string | null;
        };
        /** @description A message on its way, or at its end. */
        DeliveryView: {
            /** Format: int64 */
            at: number;
            /** Format: int32 */
            attempts: number;
            /** Format: int32 */
            channel: number;
            /** Format: int64 */
            ended?: number | null;
            error: string;
            /** Format: int64 */
            id: number;
            incidents: number[];
            /**
             * Format: int64
             * @description When it is tried next, if it waits.
             */
            next?: number | null;
            /** @description Work orders that it tells of. */
            orders: number[];
            /** @description waiting, trying, refused (aside, tried again now and then), delivered or failed. */
            state: string;
            title: string;
        };
        DemoState: {
            active: components["schemas"]["ActiveView"][];
            /** @description Every trouble that can be caused. */
            faults: components["schemas"]["Word"][];
        };
        DeviceView: {
            installed?: string | null;
            mac?: string | null;
            model?: string | null;
            /** @description How it is treated where it does not keep to the RFCs; empty: by what it does. */
            quirks: string;
            serial?: string | null;
            /**
             * Format: int32
             * @description How many RTSP sessions it serves us at once, where it was found out.
             */
            sessions?: number | null;
            vendor?: string | null;
        };
        DiskView: {
            /**
             * Format: int64
             * @description What we may still write.
             */
            free_bytes: number;
            /**
             * Format: int32
             * @description At the average rate of what the archive stores; null if there is not a day of it yet, or it is not on this disk.
             */
            full_in_days?: number | null;
            /** @description What is on it: data, archive. */
            holds: string[];
            /** Format: int64 */
            total_bytes: number;
        };
        EndWindow: {
            reason: string;
        };
        /** @description What the authenticator app needs; shown only here. */
        Enrolment: {
            /** @description The same, for apps: `otpauth://`, shown as a QR code. */
            address: string;
            /** @description The shared secret, to be typed where no camera is. */
            secret: string;
        };
        /** @enum {string} */
        EveryWord: "day" | "week" | "month";
        /** @description One reason of the rules. */
        EvidenceView: {
            en: string;
            /** @description One of the vocabulary's `rules` or `joinings`. */
            rule: string;
            /**
             * Format: int32
             * @description What it weighs, in percent: how sure a rule of causes is; of one that joins, the share of cameras that fell silent
             *     among those that can testify.
             */
            weight: number;
            zh: string;
        };
        /** @description What proves a snapshot, looked at just now. */
        ExaminationView: {
            node?: string | null;
            /** @description Hashes from the record to the segment's root, nearest first. */
            path: string[];
            /**
             * Format: int32
             * @description Records in the segment.
             */
            records?: number | null;
            /** Format: int64 */
            sealed?: number | null;
            /** Format: int64 */
            segment?: number | null;
            steps: components["schemas"]["StepView"][];
        };
        /** @description A request for an excuse, and what was decided. */
        ExcuseView: {
            /** Format: int64 */
            at: number;
            by: string;
            /**
             * Format: int32
             * @description How many cameras it covers now.
             */
            cameras: number;
            decision?: null | components["schemas"]["DecisionView"];
            /** Format: int64 */
            from: number;
            /** Format: int64 */
            id: number;
            /** @description planned (work that was not announced in time) or third_party. */
            kind: string;
            /** @description The caller may decide it: he is not who asked, and all of its cameras are his. */
            may_decide: boolean;
            reason: string;
            scope: components["schemas"]["ScopeView"];
            /** Format: int64 */
            until: number;
        };
        /** @description An export as the pages see it. */
        ExportView: {
            /** @description What was asked for, in words. */
            asked: string;
            /** Format: int64 */
            bytes: number;
            /**
             * Format: int64
             * @description When it came to its present state.
             */
            changed: number;
            /** Format: int64 */
            created: number;
            decided_by?: string | null;
            decision: string;
            document: string;
            /**
             * Format: int32
             * @description Snapshots done and in all, while it is being made.
             */
            done?: number | null;
            error: string;
            /**
             * Format: int64
             * @description When the package is removed.
             */
            expires?: number | null;
            /** Format: int64 */
            gaps: number;
            /** Format: int32 */
            id: number;
            /** Format: int64 */
            left_out: number;
            reason: string;
            sha256: string;
            /** Format: int64 */
            snapshots: number;
            state: components["schemas"]["ExportWord"];
            /** Format: int32 */
            total?: number | null;
            who: string;
            who_detail: string;
        };
        /** @enum {string} */
        ExportWord: "awaiting_approval" | "queued" | "running" | "done" | "failed" | "refused" | "cancelled" | "expired";
        FalseAlarm: {
            /** @description Class of the verdict. */
            cause: components["schemas"]["CauseWord"];
            /** @description Why the picture is good. */
            reason: string;
            /**
             * Format: int64
             * @description Until when the class is not told for this camera.
             */
            until: number;
        };
        FaultRequest: {
            fault: string;
            on: boolean;
            target: components["schemas"]["TargetView"];
        };
        /** @description Rates are 0–1 and null without a denominator; times are milliseconds. */
        Figures: {
            /**
             * Format: double
             * @description 快照完整率.
             */
            completeness?: number | null;
            /**
             * Format: int32
             * @description Camera-days whose samples are complete.
             */
            days_complete: number;
            /**
             * Format: int32
             * @description Camera-days left out of (c) because samples are missing or unknown.
             */
            days_incomplete: number;
            /** Format: int32 */
            due: number;
            /**
             * Format: int32
             * @description Outages that ended in it.
             */
            ended: number;
            /** Format: double */
            excused?: number | null;
            /** Format: int32 */
            gaps: number;
            /** Format: int32 */
            in_time: number;
            /**
             * Format: double
             * @description 完好率: time online without any fault / judged time.
             */
            intact?: number | null;
            /**
             * Format: int64
             * @description Time in the denominators.
             */
            judged_ms: number;
            /** Format: double */
            mtbf_ms?: number | null;
            /** Format: double */
            mttr_ms?: number | null;
            /** Format: int64 */
            offline_ms: number;
            /**
             * Format: double
             * @description 在线率 (a), instantaneous at the end of the range (or now): online or impaired / judged cameras.
             */
            online_at_end?: number | null;
            /**
             * Format: double
             * @description 在线率 (b), by duration: time online or impaired / judged time.
             */
            online_by_duration?: number | null;
            /**
             * Format: double
             * @description 在线率 (c), by samples at full hours of complete days.
             */
            online_by_samples?: number | null;
            /**
             * Format: int32
             * @description Outages that began in the range.
             */
            outages: number;
            /** Format: double */
            paused?: number | null;
            /**
             * Format: double
             * @description 画面故障率: time with a fault of the picture / time with a picture.
             */
            picture_fault?: number | null;
            picture_fault_by_class: components["schemas"]["PictureFault"][];
            /**
             * Format: double
             * @description 修复及时率: in time / due.
             */
            repaired_in_time?: number | null;
            /**
             * Format: double
             * @description 重复故障率: repeats / outages.
             */
            repeated?: number | null;
            /** Format: int32 */
            repeats: number;
            /**
             * Format: int32
             * @description Outages that lasted when it began.
             */
            standing: number;
            /** Format: int32 */
            stored: number;
            /**
             * Format: double
             * @description Shares of recorded time that are in no rate.
             */
            unknown?: number | null;
        };
        /** @description Figures of a running session over its last window. */
        FiguresView: {
            /**
             * Format: int64
             * @description Bits per second.
             */
            bitrate: number;
            /** @description Its sender reports tell times that are no date. */
            clock_absurd: boolean;
            /**
             * Format: float
             * @description How fast the camera's clock gains on ours, in millionths; null until it was watched for long enough.
             */
            clock_drift_ppm?: number | null;
            /** Format: float */
            clock_drift_uncertainty_ppm?: number | null;
            /**
             * Format: int64
             * @description Camera clock minus ours.
             */
            clock_offset_ms?: number | null;
            /**
             * Format: int32
             * @description Half of the interval in which that offset lies.
             */
            clock_uncertainty_ms?: number | null;
            codec?: null | components["schemas"]["CodecWord"];
            /**
             * Format: int64
             * @description Packets that came twice.
             */
            duplicates: number;
            /**
             * Format: int64
             * @description From the answer to PLAY to the first.
             */
            first_keyframe_ms?: number | null;
            /** Format: float */
            fps: number;
            /** Format: int32 */
            height: number;
            /** Format: float */
            jitter_ms: number;
            /** Format: int64 */
            keyframe_age_ms?: number | null;
            /**
             * Format: int64
             * @description Between the last two.
             */
            keyframe_interval_ms?: number | null;
            /** Format: int32 */
            keyframes: number;
            /**
             * Format: int64
             * @description Longest pause between two packets.
             */
            longest_gap_ms: number;
            /** Format: int64 */
            lost: number;
            /** Format: int64 */
            packets: number;
            /** @description Profile and level, such as "High 4.1". */
            profile?: string | null;
            /**
             * Format: int64
             * @description Packets that came after a later one.
             */
            reordered: number;
            /** Format: int32 */
            width: number;
            /** Format: int64 */
            window_ms: number;
        };
        FindingView: {
            /** @description Where on the picture it shows. */
            areas: components["schemas"]["AreaView"][];
            cause: components["schemas"]["CauseWord"];
            /**
             * Format: float
             * @description 0 to 1.
             */
            confidence: number;
            detail: string;
            /** @description A person called it a false alarm, and that still holds. */
            excepted: boolean;
            level: components["schemas"]["LevelWord"];
            /** Format: float */
            measured: number;
            said?: null | components["schemas"]["SaidWord"];
            /** Format: int64 */
            since: number;
            /** Format: float */
            threshold: number;
            /**
             * Format: int32
             * @description A camera that shows the same.
             */
            twin?: number | null;
        };
        FirstCode: {
            /** @description The six digits the app shows. */
            code: string;
        };
        FleetView: {
            cameras: components["schemas"]["CameraName"][];
            sites: components["schemas"]["SiteView"][];
            towns: components["schemas"]["TownView"][];
            uplinks: components["schemas"]["UplinkView"][];
        };
        ForecastView: {
            /**
             * Format: int32
             * @description Days until pictures older than the legal minimum go sooner than their time; null: not within ten years.
             */
            pressed_in_days?: number | null;
            /**
             * Format: int32
             * @description Days until new snapshots are refused; null: not within ten years.
             */
            refused_in_days?: number | null;
            /**
             * Format: int64
             * @description Bytes in the end, if everything kept has an end.
             */
            settled_bytes?: number | null;
            /** @description The object store is away: until it is back everything stays on this disk, and the days are for that. */
            store_away: boolean;
        };
        Forget: {
            reason: string;
        };
        /** @description What a stream is or was made of from an instant on. */
        FormatView: {
            codec: components["schemas"]["CodecWord"];
            /**
             * Format: int64
             * @description Since when.
             */
            from: number;
            /** Format: int32 */
            height: number;
            profile?: string | null;
            stream: components["schemas"]["StreamWord"];
            /** Format: int32 */
            width: number;
        };
        /** @description What was found on a camera's picture when a snapshot was taken. */
        FoundView: {
            areas: components["schemas"]["AreaView"][];
            cause: components["schemas"]["CauseWord"];
            /** Format: float */
            confidence: number;
            detail: string;
            level: components["schemas"]["LevelWord"];
            /** Format: float */
            measured: number;
            /** Format: int64 */
            since: number;
            /** Format: float */
            threshold: number;
            /**
             * Format: int32
             * @description A camera that showed the same.
             */
            twin?: number | null;
            /**
             * Format: int64
             * @description Null while it lasts.
             */
            until?: number | null;
        };
        FrozenView: {
            /** Format: int64 */
            at: number;
            /** @description SHA-256 over the month before's hash and this month's figures, in hexadecimal. */
            hash: string;
        };
        GapView: {
            /** Format: int32 */
            camera: number;
            cause: components["schemas"]["CauseWord"];
            detail: string;
            /**
             * Format: int32
             * @description One each so many milliseconds; 0 for a single one.
             */
            every_ms: number;
            /**
             * Format: int64
             * @description The scheduled instant; of several the first.
             */
            slot: number;
            /**
             * Format: int32
             * @description How many were scheduled from then on and not taken, this one included.
             */
            slots: number;
        };
        Give: {
            /**
             * Format: int64
             * @description When the shift began, as the report said that is signed.
             */
            from: number;
            /** @description What the next shift must know. */
            note?: string | null;
        };
        GroundView: {
            attribution: string;
            /** @description West, south, east, north, in degrees. */
            bounds: number[];
            /** @description Its places are shifted as Chinese maps are. */
            gcj02: boolean;
            /** @description vector, png, jpeg, webp or avif. */
            kind: string;
            /** Format: int32 */
            least_zoom: number;
            /** Format: int32 */
            most_zoom: number;
        };
        /**
         * @description By what a report is grouped.
         * @enum {string}
         */
        Group: "town" | "site" | "contractor" | "camera";
        /** @description One line of a report. */
        GroupRow: {
            before?: null | components["schemas"]["Figures"];
            /** Format: int32 */
            cameras: number;
            figures: components["schemas"]["Figures"];
            /**
             * Format: int32
             * @description Number of the town, site or camera; null for contractors.
             */
            id?: number | null;
            /** @description Empty for cameras without a contractor. */
            name: string;
            /** @description The site of a camera. */
            site?: string | null;
            /** @description The town of a site or camera. */
            town?: string | null;
        };
        /** @description A shift with its report, as it was told. */
        HandoverPage: {
            handover: components["schemas"]["HandoverView"];
            report: components["schemas"]["ShiftReport"];
        };
        /** @description A shift that was handed over. */
        HandoverView: {
            /** Format: int64 */
            from: number;
            given: components["schemas"]["SignatureView"];
            /** Format: int64 */
            id: number;
            /** @description The caller may take it over. */
            may_take: boolean;
            taken?: null | components["schemas"]["SignatureView"];
            /** Format: int64 */
            until: number;
        };
        /** @description What holds keep. */
        HeldView: {
            /** Format: int64 */
            bytes: number;
            /**
             * Format: int32
             * @description Longest time for a new hold.
             */
            days?: number | null;
            /** Format: int64 */
            holds: number;
            /** Format: int64 */
            most_bytes?: number | null;
            /**
             * Format: int64
             * @description Of those, bytes whose time is over but for the hold.
             */
            overdue_bytes: number;
            /** Format: int64 */
            segments: number;
        };
        /** @enum {string} */
        HoldReasonWord: "power_cut" | "road_works" | "demolition" | "carrier_fibre" | "parts" | "weather" | "no_access";
        /** @description A hold as the pages see it. */
        HoldView: {
            by: string;
            /** @description Which cameras it is about; empty for all. */
            cameras: number[];
            document: string;
            /** Format: int64 */
            expires?: number | null;
            /** Format: int64 */
            from: number;
            /** @description Whether it is in force. */
            holds: boolean;
            /** Format: int32 */
            id: number;
            /** @description legal or audit. */
            kind: string;
            /** Format: int64 */
            placed: number;
            reason: string;
            release_reason?: string | null;
            /** Format: int64 */
            released?: number | null;
            released_by?: string | null;
            /** Format: int64 */
            until: number;
        };
        ImportCounts: {
            added: number;
            changed: number;
            rejected: number;
            unchanged: number;
        };
        ImportFault: {
            column: string;
            expected: string;
            /** Format: int64 */
            line: number;
            value: string;
        };
        ImportReport: {
            /** @description Whether the register was changed. */
            applied: boolean;
            counts: components["schemas"]["ImportCounts"];
            rows: components["schemas"]["ImportRow"][];
            /** @description Headings that mean nothing to us; their columns are ignored. */
            unknown_columns: string[];
        };
        ImportRow: {
            /** @description Why it was rejected. */
            faults: components["schemas"]["ImportFault"][];
            /** @description What changed. */
            fields: string[];
            /** Format: int64 */
            line: number;
            name: string;
            /** @description added, changed, unchanged or rejected. */
            outcome: string;
            warnings: string[];
        };
        /** @description What was agreed upon for an incident. */
        IncidentOrders: {
            confirmed?: null | components["schemas"]["ConfirmedView"];
            orders: components["schemas"]["OrderView"][];
        };
        /** @description One disturbance. */
        IncidentView: {
            acknowledged?: null | components["schemas"]["AcknowledgementView"];
            cause: components["schemas"]["CauseWord"];
            /**
             * Format: int32
             * @description How sure the rules are, in percent.
             */
            confidence: number;
            evidence: components["schemas"]["EvidenceView"][];
            /**
             * Format: int64
             * @description The incident this one was folded into.
             */
            folded_into?: number | null;
            /** Format: int64 */
            id: number;
            likely: components["schemas"]["LikelyWord"];
            members: components["schemas"]["MemberView"][];
            /** Format: int64 */
            opened: number;
            /** @description When the fault returned so soon after it was over that this incident was opened again; the last 50 times. */
            reopened: number[];
            /** Format: int64 */
            resolved?: number | null;
            scope: components["schemas"]["ScopeView"];
            severity: components["schemas"]["SeverityWord"];
        };
        /** @description A camera's status over some time. */
        IntervalView: {
            /** Format: int32 */
            camera: number;
            cause?: null | components["schemas"]["CauseWord"];
            detail: string;
            /** Format: int64 */
            from: number;
            layer?: null | components["schemas"]["LayerWord"];
            status: components["schemas"]["StatusWord"];
            /**
             * Format: int64
             * @description Null while it lasts.
             */
            until?: number | null;
        };
        /** @description A rule that makes one incident of many cameras: when it does, and its sentence. */
        JoiningText: {
            code: string;
            en: string;
            /**
             * Format: int32
             * @description At least so many of its parts are silent: cameras of a link, links of anything wider.
             */
            parts: number;
            /**
             * Format: int32
             * @description At least this share, in percent, of all cameras that can testify fell silent.
             */
            share: number;
            /** @description What its members share: one of `shared`. */
            shared: string;
            /**
             * Format: int32
             * @description The first and the last fell silent within so many seconds; the window of correlation if null.
             */
            within_s?: number | null;
            zh: string;
        };
        /** @description What is kept alike: some classes, of one place or of everywhere else. */
        KeptView: {
            /** Format: int64 */
            bytes: number;
            classes: components["schemas"]["ClassWord"][];
            /**
             * Format: int64
             * @description Null in the archive's first hour.
             */
            daily_bytes?: number | null;
            /**
             * Format: int32
             * @description Age in days at which it is dropped; null for as long as there is room.
             */
            days?: number | null;
            /** Format: int64 */
            most_bytes?: number | null;
            /**
             * Format: int64
             * @description When its oldest segment is dropped for its age, unless it is held or room runs out before.
             */
            next_purge?: number | null;
            /** Format: int64 */
            oldest?: number | null;
            /** @description More than it may be, because the legal minimum or a hold wants it kept. */
            over: boolean;
            /** @description Name of the rule for a place. */
            place?: string | null;
            /** Format: int64 */
            records: number;
            /** Format: int64 */
            segments: number;
        };
        /** @description A climb of the ladder. */
        Ladder: {
            /** Format: int64 */
            at: number;
            cause?: null | components["schemas"]["CauseWord"];
            confidence?: null | components["schemas"]["ConfidenceWord"];
            layer?: null | components["schemas"]["LayerWord"];
            /** @description Every rung, lowest first. */
            rungs: components["schemas"]["Rung"][];
            source: components["schemas"]["Source"];
            status: components["schemas"]["StatusWord"];
            /** @description The RTSP exchange, secrets removed. */
            transcript?: string | null;
        };
        /**
         * @description Language of a file.
         * @enum {string}
         */
        Language: "zh-CN" | "en";
        /** @enum {string} */
        LayerWord: "address" | "network" | "port" | "rtsp" | "auth" | "media" | "flow" | "decode" | "picture" | "clock";
        /** @enum {string} */
        LevelWord: "slight" | "severe";
        /** @enum {string} */
        LifeCycleWord: "in_use" | "repair" | "out_of_use" | "dismantled";
        /** @enum {string} */
        LightWord: "day" | "dark" | "infrared";
        /** @enum {string} */
        LikelyWord: "power_or_fibre" | "power" | "fibre" | "switch" | "lightning" | "borrowed_power" | "trunk" | "camera" | "firmware" | "account" | "ip_conflict" | "settings" | "sessions" | "link" | "lens" | "own";
        MachineView: {
            /**
             * Format: int64
             * @description What programs can still be given.
             */
            available_bytes?: number | null;
            cores: number;
            /**
             * Format: double
             * @description Busy share of all cores, in percent.
             */
            cpu_percent?: number | null;
            kernel: string;
            /** @description Tasks that ran or waited, on average over 1, 5 and 15 minutes. */
            load?: number[] | null;
            /** Format: int64 */
            memory_bytes?: number | null;
            system: string;
            /** Format: int64 */
            uptime_s?: number | null;
        };
        MadeToken: {
            /** @description To be sent as `Authorization: Bearer`; shown only here. */
            secret: string;
            token: components["schemas"]["Token"];
        };
        MailingInput: {
            /**
             * Format: int32
             * @description The channel whose mail server sends it.
             */
            channel: number;
            /** @description Only of this contractor; empty for cameras without one. */
            contractor?: string | null;
            /**
             * Format: int32
             * @description On which day of the month a monthly one does: 1 to 28.
             */
            day: number;
            enabled: boolean;
            /** @description The report tells of the day, week or month that is over. */
            every: components["schemas"]["EveryWord"];
            group: components["schemas"]["Group"];
            language: components["schemas"]["Language"];
            /**
             * Format: int32
             * @description At which minute of the county's day.
             */
            minute: number;
            name: string;
            /**
             * Format: int32
             * @description Only of this site.
             */
            site?: number | null;
            /** @description Readers, at most 50; the channel's own if there is none. */
            to: string[];
            /**
             * Format: int32
             * @description Only of this town.
             */
            town?: number | null;
            /**
             * Format: int32
             * @description On which day of the week a weekly report goes out: 1 (Monday) to 7.
             */
            weekday: number;
        };
        /** @description A report that goes out by mail again and again. */
        MailingView: {
            /** Format: int32 */
            channel: number;
            contractor?: string | null;
            /** Format: int32 */
            day: number;
            enabled: boolean;
            every: components["schemas"]["EveryWord"];
            group: components["schemas"]["Group"];
            /** Format: int32 */
            id: number;
            language: components["schemas"]["Language"];
            /** Format: int32 */
            minute: number;
            name: string;
            /** Format: int32 */
            site?: number | null;
            to: string[];
            /** Format: int32 */
            town?: number | null;
            /** Format: int32 */
            weekday: number;
        };
        MapView: {
            ground?: null | components["schemas"]["GroundView"];
        };
        MeasureView: {
            /**
             * Format: float
             * @description Above this it is a sign of a fault.
             */
            high?: number | null;
            kind: components["schemas"]["MeasureWord"];
            /**
             * Format: float
             * @description Below this it is a sign of a fault.
             */
            low?: number | null;
            /** Format: float */
            value: number;
        };
        /** @enum {string} */
        MeasureWord: "brightness" | "sharpness" | "noise" | "stripes" | "plain" | "scene";
        /** @description A camera in an incident. */
        MemberView: {
            /** Format: int32 */
            camera: number;
            cause: components["schemas"]["CauseWord"];
            /** Format: int64 */
            joined: number;
            /** Format: int64 */
            left?: number | null;
        };
        /** @description What to take out: named snapshots, an incident's, or those of a range. */
        NewExport: {
            /** Format: int32 */
            camera?: number | null;
            cause?: string | null;
            class?: string | null;
            /** @description Number of the approval document 审批文号. */
            document: string;
            /**
             * Format: int64
             * @description Slots at or after.
             */
            from?: number | null;
            /** Format: int64 */
            incident?: number | null;
            /** @description Why 事由. */
            reason: string;
            /** Format: int32 */
            site?: number | null;
            /** @description Ids of snapshots. */
            snapshots?: string[];
            status?: string | null;
            /** Format: int32 */
            town?: number | null;
            /**
             * Format: int64
             * @description Slots before.
             */
            until?: number | null;
        };
        /** @description A range to be kept. */
        NewHoldBody: {
            /** Format: int32 */
            camera?: number | null;
            /** @description Number of the document that asks for it. */
            document: string;
            /**
             * Format: int64
             * @description When it ends by itself; until somebody ends it if null.
             */
            expires?: number | null;
            /**
             * Format: int64
             * @description Slots at or after.
             */
            from: number;
            /** @description legal or audit. */
            kind: string;
            /** @description Why 事由. */
            reason: string;
            /** Format: int32 */
            site?: number | null;
            /** Format: int32 */
            town?: number | null;
            /**
             * Format: int64
             * @description Slots before.
             */
            until: number;
        };
        NewOrder: {
            /** Format: int64 */
            incident: number;
            note?: string | null;
            /** @description Not sure yet that somebody must go: it begins as 待确认. */
            to_be_confirmed?: boolean;
        };
        NewToken: {
            /**
             * Format: int64
             * @description At most two years from now.
             */
            expires: number;
            /** @description What it is for; 1 to 64 characters, never given again. */
            name: string;
            /** @description Operator or auditor: machines neither administer nor repair. */
            role: components["schemas"]["RoleWord"];
            sites?: number[];
            towns?: number[];
        };
        NewUser: {
            /** Format: int64 */
            expires?: number | null;
            full_name?: string;
            name: string;
            role: components["schemas"]["RoleWord"];
            sites?: number[];
            towns?: number[];
            unit?: string;
        };
        OneTime: {
            /** @description To be used once; shown only here. */
            password: string;
        };
        /** @description An incident in short. */
        OpenIncident: {
            /** @description Why it can wait, if somebody said so. */
            acknowledged?: string | null;
            /** Format: int32 */
            cameras: number;
            cause: components["schemas"]["CauseWord"];
            /** Format: int64 */
            id: number;
            /** Format: int64 */
            opened: number;
            scope: components["schemas"]["ScopeView"];
            severity: components["schemas"]["SeverityWord"];
        };
        /** @description A work order in short. */
        OpenOrder: {
            /** @description Who is to do it; empty if nobody is named. */
            assignee: string;
            /** Format: int64 */
            due?: number | null;
            /** Format: int64 */
            id: number;
            /** Format: int64 */
            incident: number;
            overdue: boolean;
            severity: components["schemas"]["SeverityWord"];
            state: components["schemas"]["OrderStateWord"];
        };
        OrderAct: {
            act: components["schemas"]["OrderActWord"];
            /** @description … or to this contractor. */
            contractor?: string | null;
            /**
             * Format: int64
             * @description assign: to be repaired by then; as agreed on for its severity if absent.
             */
            due?: number | null;
            found?: null | components["schemas"]["LikelyWord"];
            note?: string | null;
            /**
             * Format: int64
             * @description merge: under which order.
             */
            parent?: number | null;
            reason?: null | components["schemas"]["HoldReasonWord"];
            /**
             * Format: int32
             * @description assign: to this technician …
             */
            technician?: number | null;
            /**
             * Format: int64
             * @description hold: until when.
             */
            until?: number | null;
            /**
             * Format: int32
             * @description The version looked at.
             */
            version: number;
        };
        /**
         * @description What can be done to an order.
         * @enum {string}
         */
        OrderActWord: "confirm" | "assign" | "accept" | "decline" | "start" | "hold" | "approve_hold" | "resume" | "finish" | "diagnose" | "accept_repair" | "reject" | "false_alarm" | "merge" | "note";
        OrderFiguresView: {
            agreement: components["schemas"]["AgreementView"][];
            /**
             * Format: double
             * @description Share of the findings on these orders that agree with what the rules had said; null if there are none.
             */
            agreement_rate?: number | null;
            all: components["schemas"]["OrderShareView"];
            /** @description Each for the time in which an order was his. */
            by_assignee: components["schemas"]["OrderShareView"][];
            /** @description Contractors, with the orders given to their technicians. */
            by_contractor: components["schemas"]["OrderShareView"][];
            by_town: components["schemas"]["OrderShareView"][];
            /** Format: int64 */
            from: number;
            /** Format: int64 */
            until: number;
        };
        /** @description While it waits. */
        OrderHoldView: {
            /** @description A third party is to blame and somebody approved it: the repair clock stands still. */
            approved_by?: string | null;
            reason: components["schemas"]["HoldReasonWord"];
            /** Format: int64 */
            since: number;
            third_party: boolean;
            /** Format: int64 */
            until: number;
        };
        /** @enum {string} */
        OrderOutcomeWord: "accepted" | "false_alarm" | "merged";
        /** @description An order with what belongs to it. */
        OrderPage: {
            incident?: null | components["schemas"]["IncidentView"];
            order: components["schemas"]["OrderView"];
            pictures: components["schemas"]["OrderPictureView"][];
        };
        /** @description A picture of an order, without its bytes. */
        OrderPictureView: {
            /**
             * Format: int64
             * @description When it was taken; a photograph: when it was handed in.
             */
            at: number;
            by: string;
            /** Format: int32 */
            camera?: number | null;
            /** Format: int64 */
            id: number;
            kind: components["schemas"]["PictureKindWord"];
            note: string;
        };
        /** @description OrderFiguresView of some orders; times are means in milliseconds. */
        OrderShareView: {
            /** Format: int32 */
            accepted: number;
            /** Format: int32 */
            in_time: number;
            /** Format: int32 */
            open: number;
            /** Format: int32 */
            orders: number;
            /** Format: int32 */
            overdue: number;
            /** Format: int64 */
            repair_ms?: number | null;
            /** Format: int32 */
            repaired: number;
            /** Format: int64 */
            response_ms?: number | null;
            /** Format: int32 */
            town?: number | null;
            who?: null | components["schemas"]["AssigneeView"];
        };
        /** @enum {string} */
        OrderStateWord: "reported" | "confirmed" | "assigned" | "accepted" | "working" | "on_hold" | "repaired" | "closed";
        /** @description One thing that happened to it. */
        OrderStepView: {
            /** @description A stable word such as `assign`. */
            act: string;
            /** Format: int64 */
            at: number;
            by: string;
            from: components["schemas"]["OrderStateWord"];
            note: string;
            to: components["schemas"]["OrderStateWord"];
        };
        /** @description A work order. */
        OrderView: {
            /**
             * Format: int64
             * @description From when on the repair may be accepted, as to the stable time.
             */
            acceptable?: number | null;
            /** Format: int64 */
            accepted?: number | null;
            /** Format: int64 */
            assigned?: number | null;
            assignee?: null | components["schemas"]["AssigneeView"];
            cameras: number[];
            /** @description The orders that are dealt with under this one. */
            children: number[];
            /** Format: int64 */
            closed?: number | null;
            confirmed?: null | components["schemas"]["ConfirmedView"];
            history: components["schemas"]["OrderStepView"][];
            hold?: null | components["schemas"]["OrderHoldView"];
            /** Format: int64 */
            id: number;
            /** Format: int64 */
            incident: number;
            /** @description What the caller may do to it now, as to his part in it. */
            mine: boolean;
            /** Format: int64 */
            opened: number;
            outcome?: null | components["schemas"]["OrderOutcomeWord"];
            overdue: boolean;
            /**
             * Format: int64
             * @description The order under which it is dealt with.
             */
            parent?: number | null;
            /** Format: int64 */
            recovered?: number | null;
            /**
             * Format: int64
             * @description As approved holds have moved it on.
             */
            repair_due?: number | null;
            /** Format: int64 */
            repair_ms?: number | null;
            /** Format: int64 */
            response_due?: number | null;
            /** Format: int64 */
            response_ms?: number | null;
            severity: components["schemas"]["SeverityWord"];
            state: components["schemas"]["OrderStateWord"];
            /** @description Cameras whose ladders must be climbed before the repair is accepted. */
            to_verify: number[];
            /** Format: int32 */
            town?: number | null;
            verifications: components["schemas"]["VerificationView"][];
            /**
             * Format: int32
             * @description To be sent with each act: whoever looked at an older one is refused.
             */
            version: number;
            /** @description Holds that ended, for which a third party may be to blame and nobody has approved it; the newest last. */
            waited: components["schemas"]["OrderHoldView"][];
        };
        /** @enum {string} */
        OutcomeWord: "passed" | "failed" | "skipped";
        Overview: {
            archive: components["schemas"]["ArchiveView"];
            counts: components["schemas"]["CountsView"];
            incidents: components["schemas"]["BySeverity"];
            /**
             * Format: double
             * @description Online over online, impaired and offline.
             */
            intact_rate?: number | null;
            /**
             * Format: double
             * @description Online and impaired over online, impaired and offline, at this instant; null if no camera is judged.
             */
            online_rate?: number | null;
            /** @description The newest changes of status; at most 50. */
            recent: components["schemas"]["IntervalView"][];
            snapshots_24h?: null | components["schemas"]["Stored"];
            /** Format: int32 */
            total: number;
            towns: components["schemas"]["TownCounts"][];
            /** @description Sites with the most cameras not online; at most 20. */
            worst_sites: components["schemas"]["SiteCounts"][];
        };
        /** @description A part of our own machine at fault. */
        OwnFault: {
            detail: string;
            part: components["schemas"]["OwnWord"];
        };
        /** @enum {string} */
        OwnWord: "network" | "disk" | "archive" | "database" | "decoder" | "clock" | "machine";
        /** @description A page of a longer list. */
        Paged_AuditView: {
            items: {
                action: string;
                address: string;
                /** Format: int64 */
                at: number;
                detail: string;
                object: string;
                reason: string;
                /** Format: int64 */
                seq: number;
                success: boolean;
                who: string;
                who_detail: string;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_ChannelView: {
            items: {
                enabled: boolean;
                /** Format: int32 */
                id: number;
                /** @description webhook, email, dingtalk, wecom, feishu or alertmanager. */
                kind: string;
                language: string;
                name: string;
                route: components["schemas"]["RouteView"];
                /** @description What may be shown of its target. */
                shown: string;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_DeliveryView: {
            items: {
                /** Format: int64 */
                at: number;
                /** Format: int32 */
                attempts: number;
                /** Format: int32 */
                channel: number;
                /** Format: int64 */
                ended?: number | null;
                error: string;
                /** Format: int64 */
                id: number;
                incidents: number[];
                /**
                 * Format: int64
                 * @description When it is tried next, if it waits.
                 */
                next?: number | null;
                /** @description Work orders that it tells of. */
                orders: number[];
                /** @description waiting, trying, refused (aside, tried again now and then), delivered or failed. */
                state: string;
                title: string;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_ExcuseView: {
            items: {
                /** Format: int64 */
                at: number;
                by: string;
                /**
                 * Format: int32
                 * @description How many cameras it covers now.
                 */
                cameras: number;
                decision?: null | components["schemas"]["DecisionView"];
                /** Format: int64 */
                from: number;
                /** Format: int64 */
                id: number;
                /** @description planned (work that was not announced in time) or third_party. */
                kind: string;
                /** @description The caller may decide it: he is not who asked, and all of its cameras are his. */
                may_decide: boolean;
                reason: string;
                scope: components["schemas"]["ScopeView"];
                /** Format: int64 */
                until: number;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_ExportView: {
            items: {
                /** @description What was asked for, in words. */
                asked: string;
                /** Format: int64 */
                bytes: number;
                /**
                 * Format: int64
                 * @description When it came to its present state.
                 */
                changed: number;
                /** Format: int64 */
                created: number;
                decided_by?: string | null;
                decision: string;
                document: string;
                /**
                 * Format: int32
                 * @description Snapshots done and in all, while it is being made.
                 */
                done?: number | null;
                error: string;
                /**
                 * Format: int64
                 * @description When the package is removed.
                 */
                expires?: number | null;
                /** Format: int64 */
                gaps: number;
                /** Format: int32 */
                id: number;
                /** Format: int64 */
                left_out: number;
                reason: string;
                sha256: string;
                /** Format: int64 */
                snapshots: number;
                state: components["schemas"]["ExportWord"];
                /** Format: int32 */
                total?: number | null;
                who: string;
                who_detail: string;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_HandoverView: {
            items: {
                /** Format: int64 */
                from: number;
                given: components["schemas"]["SignatureView"];
                /** Format: int64 */
                id: number;
                /** @description The caller may take it over. */
                may_take: boolean;
                taken?: null | components["schemas"]["SignatureView"];
                /** Format: int64 */
                until: number;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_HoldView: {
            items: {
                by: string;
                /** @description Which cameras it is about; empty for all. */
                cameras: number[];
                document: string;
                /** Format: int64 */
                expires?: number | null;
                /** Format: int64 */
                from: number;
                /** @description Whether it is in force. */
                holds: boolean;
                /** Format: int32 */
                id: number;
                /** @description legal or audit. */
                kind: string;
                /** Format: int64 */
                placed: number;
                reason: string;
                release_reason?: string | null;
                /** Format: int64 */
                released?: number | null;
                released_by?: string | null;
                /** Format: int64 */
                until: number;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_IncidentView: {
            items: {
                acknowledged?: null | components["schemas"]["AcknowledgementView"];
                cause: components["schemas"]["CauseWord"];
                /**
                 * Format: int32
                 * @description How sure the rules are, in percent.
                 */
                confidence: number;
                evidence: components["schemas"]["EvidenceView"][];
                /**
                 * Format: int64
                 * @description The incident this one was folded into.
                 */
                folded_into?: number | null;
                /** Format: int64 */
                id: number;
                likely: components["schemas"]["LikelyWord"];
                members: components["schemas"]["MemberView"][];
                /** Format: int64 */
                opened: number;
                /** @description When the fault returned so soon after it was over that this incident was opened again; the last 50 times. */
                reopened: number[];
                /** Format: int64 */
                resolved?: number | null;
                scope: components["schemas"]["ScopeView"];
                severity: components["schemas"]["SeverityWord"];
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_IntervalView: {
            items: {
                /** Format: int32 */
                camera: number;
                cause?: null | components["schemas"]["CauseWord"];
                detail: string;
                /** Format: int64 */
                from: number;
                layer?: null | components["schemas"]["LayerWord"];
                status: components["schemas"]["StatusWord"];
                /**
                 * Format: int64
                 * @description Null while it lasts.
                 */
                until?: number | null;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_MailingView: {
            items: {
                /** Format: int32 */
                channel: number;
                contractor?: string | null;
                /** Format: int32 */
                day: number;
                enabled: boolean;
                every: components["schemas"]["EveryWord"];
                group: components["schemas"]["Group"];
                /** Format: int32 */
                id: number;
                language: components["schemas"]["Language"];
                /** Format: int32 */
                minute: number;
                name: string;
                /** Format: int32 */
                site?: number | null;
                to: string[];
                /** Format: int32 */
                town?: number | null;
                /** Format: int32 */
                weekday: number;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_OrderView: {
            items: {
                /**
                 * Format: int64
                 * @description From when on the repair may be accepted, as to the stable time.
                 */
                acceptable?: number | null;
                /** Format: int64 */
                accepted?: number | null;
                /** Format: int64 */
                assigned?: number | null;
                assignee?: null | components["schemas"]["AssigneeView"];
                cameras: number[];
                /** @description The orders that are dealt with under this one. */
                children: number[];
                /** Format: int64 */
                closed?: number | null;
                confirmed?: null | components["schemas"]["ConfirmedView"];
                history: components["schemas"]["OrderStepView"][];
                hold?: null | components["schemas"]["OrderHoldView"];
                /** Format: int64 */
                id: number;
                /** Format: int64 */
                incident: number;
                /** @description What the caller may do to it now, as to his part in it. */
                mine: boolean;
                /** Format: int64 */
                opened: number;
                outcome?: null | components["schemas"]["OrderOutcomeWord"];
                overdue: boolean;
                /**
                 * Format: int64
                 * @description The order under which it is dealt with.
                 */
                parent?: number | null;
                /** Format: int64 */
                recovered?: number | null;
                /**
                 * Format: int64
                 * @description As approved holds have moved it on.
                 */
                repair_due?: number | null;
                /** Format: int64 */
                repair_ms?: number | null;
                /** Format: int64 */
                response_due?: number | null;
                /** Format: int64 */
                response_ms?: number | null;
                severity: components["schemas"]["SeverityWord"];
                state: components["schemas"]["OrderStateWord"];
                /** @description Cameras whose ladders must be climbed before the repair is accepted. */
                to_verify: number[];
                /** Format: int32 */
                town?: number | null;
                verifications: components["schemas"]["VerificationView"][];
                /**
                 * Format: int32
                 * @description To be sent with each act: whoever looked at an older one is refused.
                 */
                version: number;
                /** @description Holds that ended, for which a third party may be to blame and nobody has approved it; the newest last. */
                waited: components["schemas"]["OrderHoldView"][];
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_SendingView: {
            items: {
                /**
                 * Format: int64
                 * @description When it was due.
                 */
                at: number;
                /** Format: int32 */
                attempts: number;
                /** Format: int64 */
                ended?: number | null;
                error: string;
                /** Format: int64 */
                from: number;
                /** Format: int64 */
                id: number;
                /** Format: int32 */
                mailing: number;
                /**
                 * Format: int64
                 * @description When it is tried next, if it waits.
                 */
                next?: number | null;
                /** @description waiting, trying, delivered or failed. */
                state: string;
                /** Format: int64 */
                until: number;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_SnapshotEntry: {
            items: ((components["schemas"]["SnapshotView"] & {
                /** @enum {string} */
                kind: "snapshot";
            }) | (components["schemas"]["GapView"] & {
                /** @enum {string} */
                kind: "gap";
            }))[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_Token: {
            items: {
                /** Format: int64 */
                created: number;
                /** Format: int64 */
                expires: number;
                /** Format: int32 */
                id: number;
                /** @description Who made it. */
                maker: string;
                name: string;
                /** Format: int64 */
                revoked?: number | null;
                role: components["schemas"]["RoleWord"];
                sites: number[];
                /** @description Only cameras of these towns and sites; all if both lists are empty. */
                towns: number[];
                /**
                 * Format: int64
                 * @description When it was last used, to some minutes.
                 */
                used?: number | null;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_User: {
            items: {
                active: boolean;
                /** Format: int64 */
                created: number;
                /** Format: int64 */
                expires?: number | null;
                full_name: string;
                /** Format: int32 */
                id: number;
                must_change_password: boolean;
                name: string;
                role: components["schemas"]["RoleWord"];
                /** @description He must show a one-time code, too. */
                second_factor: boolean;
                sites: number[];
                /** @description Only cameras of these towns and sites; all if both lists are empty. */
                towns: number[];
                unit: string;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        /** @description A page of a longer list. */
        Paged_WindowView: {
            items: {
                by: string;
                /**
                 * Format: int32
                 * @description How many cameras it covers now.
                 */
                cameras: number;
                /** Format: int64 */
                created: number;
                /**
                 * Format: int64
                 * @description Ended early; before `from`: called off.
                 */
                ended?: number | null;
                ended_by?: string | null;
                /** @description Taken out of the denominators of published rates. */
                excused: boolean;
                /** Format: int64 */
                from: number;
                /** Format: int64 */
                id: number;
                reason: string;
                scope: components["schemas"]["ScopeView"];
                /**
                 * Format: int64
                 * @description As planned.
                 */
                until: number;
            }[];
            /** @description Ask again with this as `cursor` to continue; null at the end. */
            next?: string | null;
        };
        Password: {
            /** @description One's password once more: an unlocked screen is not enough. */
            password: string;
        };
        PasswordChange: {
            /** @description 12 characters or more. */
            new: string;
            old: string;
        };
        Pause: {
            reason: string;
            /**
             * Format: int64
             * @description Until when; null ends the pause.
             */
            until?: number | null;
        };
        /**
         * @description What kind of report.
         * @enum {string}
         */
        Period: "day" | "week" | "month" | "range";
        /** @description One class of fault of the picture. */
        PictureFault: {
            cause: components["schemas"]["CauseWord"];
            /** Format: double */
            rate: number;
        };
        /** @enum {string} */
        PictureKindWord: "before" | "after" | "photo";
        /** @enum {string} */
        PictureOutcomeWord: "not_checked" | "login_failed" | "no_stream" | "not_decoded" | "normal" | "slight" | "severe";
        /**
         * @description The verdict on a camera's picture. While it is not judged (`unchecked_since`), findings and figures are those of the
         *     last picture that was: neither confirmed nor ruled out since.
         */
        PictureView: {
            baseline: components["schemas"]["BaselineView"];
            /** @description Every class, as it is judged on this camera. */
            classes: components["schemas"]["ClassRule"][];
            /** @description Classes that are not told for this camera now. */
            exceptions: components["schemas"]["WordView"][];
            /** @description Faults, worst first; those that a person called false alarms come last and are not told. */
            findings: components["schemas"]["FindingView"][];
            /**
             * Format: int64
             * @description When the newest judged picture arrived; null before the first since the service started.
             */
            judged?: number | null;
            level?: null | components["schemas"]["LevelWord"];
            /** @description Figures of the newest picture beside their limits. */
            measures: components["schemas"]["MeasureView"][];
            /** @description What came of it now; `not_checked`, `login_failed`, `no_stream` and `not_decoded` are no faults of the picture. */
            outcome: components["schemas"]["PictureOutcomeWord"];
            present?: null | components["schemas"]["SnapshotName"];
            /**
             * Format: int64
             * @description Since when its picture is not judged any more; null while it is, and before the first.
             */
            unchecked_since?: number | null;
            /** @description What people said of its verdicts, newest first. */
            words: components["schemas"]["WordView"][];
        };
        /** @description What maintenance is about. */
        Place: {
            /** @description A number; the name for an olt; absent for the county. */
            id?: unknown;
            /** @description camera, uplink, site, olt, town or county. */
            kind: string;
        };
        /** @description A rule for some places. */
        PlaceRuleView: {
            /** @description Towns and sites as the config names them. */
            covers: string[];
            name: string;
            /** @description Of those, names that the register does not have. */
            unknown: string[];
        };
        PlaceView: {
            address?: string | null;
            code?: string | null;
            coordinates?: null | components["schemas"]["CoordinatesView"];
            onu_serial?: string | null;
            power: components["schemas"]["PowerView"];
        };
        PlanWindow: {
            /** @description Taken out of the denominators of published rates. */
            excused: boolean;
            /** Format: int64 */
            from: number;
            reason: string;
            scope: components["schemas"]["Place"];
            /** Format: int64 */
            until: number;
        };
        PowerView: {
            contact?: string | null;
            phone?: string | null;
            source?: string | null;
        };
        /** @description A problem detail object. */
        Problem: {
            /** @description Stable word for programs. */
            code: string;
            /** @description What happened and what to do. */
            detail: string;
            /**
             * Format: int32
             * @description The HTTP status.
             */
            status: number;
            /** @description The HTTP status in words. */
            title: string;
            /** @description A URN made of the code. */
            type: string;
        };
        ProcessView: {
            /**
             * Format: double
             * @description Of one core.
             */
            cpu_percent: number;
            /** @description service, decoders or simulator (of a demo, counted in no sum). */
            part: string;
            /** Format: int32 */
            processes: number;
            /** Format: int64 */
            rss_bytes: number;
        };
        /** @description A segment that was dropped. */
        PurgeView: {
            /** Format: int64 */
            at: number;
            /** Format: int64 */
            bytes?: number | null;
            classes: components["schemas"]["ClassWord"][];
            /** Format: int64 */
            newest: number;
            /** Format: int64 */
            oldest: number;
            place?: string | null;
            /** @description days, class_bytes, most_bytes, high_water or no_room. */
            reason: string;
            /** Format: int64 */
            records: number;
            /** Format: int64 */
            segment: number;
        };
        QueueView: {
            /**
             * Format: int64
             * @description How many may; null if it bounds itself.
             */
            most?: number | null;
            /** @description database, decoders, commands, event_streams or live_views. */
            name: string;
            /** Format: int64 */
            waiting: number;
        };
        /** @description A camera's record as the cells of the import's table. Never a password. */
        Record: {
            /** @description By the English name of the column. */
            cells: {
                [key: string]: string;
            };
            /** Format: int64 */
            changed: number;
            /** @description It has an account. */
            has_credentials: boolean;
        };
        Recovery: {
            /** @description For the day the phone is lost; each may be used once. Shown only here. */
            codes: string[];
        };
        ReleaseBody: {
            /** @description Why it may end. */
            reason: string;
        };
        /** @description Figures of a period. */
        Report: {
            /**
             * Format: int64
             * @description Counted so far; null if nothing is.
             */
            as_of?: number | null;
            before?: null | components["schemas"]["Figures"];
            /** Format: int64 */
            before_from: number;
            /** Format: int64 */
            before_until: number;
            /** Format: int32 */
            cameras: number;
            /** Format: int64 */
            from: number;
            frozen?: null | components["schemas"]["FrozenView"];
            group: components["schemas"]["Group"];
            groups: components["schemas"]["GroupRow"][];
            period: components["schemas"]["Period"];
            /**
             * Format: int64
             * @description An outage is repaired in time within so long.
             */
            repair_within_ms: number;
            /**
             * Format: int64
             * @description An outage repeats the one before within so long.
             */
            repeat_within_ms: number;
            total: components["schemas"]["Figures"];
            trend: components["schemas"]["TrendPoint"][];
            trend_step: components["schemas"]["TrendStep"];
            /** Format: int64 */
            until: number;
        };
        RetentionView: {
            /** Format: int64 */
            bytes: number;
            forecast?: null | components["schemas"]["ForecastView"];
            /** Format: int64 */
            free_bytes: number;
            held: components["schemas"]["HeldView"];
            /**
             * Format: int32
             * @description Share of the disk in use from which old pictures make room.
             */
            high_water_percent: number;
            /**
             * Format: int32
             * @description The legal minimum in days: nothing younger is dropped.
             */
            keep_days: number;
            kept: components["schemas"]["KeptView"][];
            /**
             * Format: int64
             * @description Most bytes of the whole archive.
             */
            most_bytes?: number | null;
            places: components["schemas"]["PlaceRuleView"][];
            /** @description The newest 50, newest first. */
            purges: components["schemas"]["PurgeView"][];
        };
        /** @enum {string} */
        RoleWord: "operator" | "technician" | "auditor" | "administrator" | "security";
        /** @description Of what a channel is told. */
        RouteView: {
            contractors: string[];
            /**
             * Format: int32
             * @description Collected and told at most once in so many minutes; 0: each at once.
             */
            digest_minutes: number;
            /** @description Minutes of the county's day from and until which it is told; what is not critical waits. Null: always. */
            hours?: number[] | null;
            /** @description Only incidents at least so urgent. */
            least: components["schemas"]["SeverityWord"];
            /** @description Told of work orders when they are given to somebody. */
            orders: boolean;
            /** @description Faults of our own machine too. */
            own: boolean;
            /**
             * Format: int32
             * @description At most so many messages an hour; the last quarter is kept for what is critical.
             */
            per_hour: number;
            /** @description Told too when it is over. */
            resolved: boolean;
            /**
             * Format: int32
             * @description What is over within so many seconds is not told.
             */
            settle_s: number;
            sites: number[];
            /** @description Only of those given to these technicians and contractors; of all if none is named. */
            technicians: number[];
            /** @description Only of these towns and sites; of everywhere if both are empty. */
            towns: number[];
        };
        /** @description A rule that infers a cause: when it speaks, and its sentence, with names in braces where figures are filled in. */
        RuleText: {
            cause?: null | components["schemas"]["CauseWord"];
            code: string;
            /** Format: int32 */
            confidence: number;
            en: string;
            layer?: null | components["schemas"]["LayerWord"];
            likely: components["schemas"]["LikelyWord"];
            /** @description Which incidents it is about: one of `rule_scopes`. */
            scope: string;
            /** @description In which situation it speaks: one of `situations`. */
            situation: string;
            zh: string;
        };
        /** @description One rung. */
        Rung: {
            cause?: null | components["schemas"]["CauseWord"];
            confidence?: null | components["schemas"]["ConfidenceWord"];
            evidence: string;
            layer: components["schemas"]["LayerWord"];
            /** Format: int64 */
            ms?: number | null;
            outcome: components["schemas"]["OutcomeWord"];
        };
        /** @enum {string} */
        SaidWord: "confirmed" | "false_alarm";
        SandboxLayer: {
            active: boolean;
            detail: string;
            name: string;
        };
        /** @description A number; the name for an olt. */
        ScopeId: number | string;
        /** @description What an incident is about. */
        ScopeView: {
            id?: null | components["schemas"]["ScopeId"];
            /** @description camera, uplink, site, olt, town, county or own. */
            kind: string;
        };
        /** @description Whether one has a second factor, and must. */
        SecondFactor: {
            /** @description Recovery codes not used yet. */
            recovery_left: number;
            /** @description One's role must have it. */
            required: boolean;
            /**
             * Format: int64
             * @description Since when it is asked for; null if it is not.
             */
            since?: number | null;
        };
        SelfView: {
            archive: Record<string, never>;
            certificate?: null | components["schemas"]["ServedCertificate"];
            clock: components["schemas"]["ClockView"];
            /**
             * Format: double
             * @description Of one core, decoder processes included, a simulator not.
             */
            cpu_percent: number;
            database: components["schemas"]["Database"];
            decoders: components["schemas"]["Decoders"];
            /** @description Disks on which the node keeps something. */
            disks: components["schemas"]["DiskView"][];
            /** @description Sums over all camera sessions since the start. */
            ingest: Record<string, never>;
            machine: components["schemas"]["MachineView"];
            own_faults: components["schemas"]["OwnFault"][];
            /** @description What the node's processes use, part by part. */
            processes: components["schemas"]["ProcessView"][];
            /** @description What waits inside, and how much may. */
            queues: components["schemas"]["QueueView"][];
            /**
             * Format: int64
             * @description Decoder processes included, a simulator not.
             */
            rss_bytes: number;
            /** Format: int64 */
            started: number;
            /** @description Reports that were to be mailed and are not; null while the database does not tell. */
            unsent_reports?: components["schemas"]["UnsentReport"][] | null;
            /** Format: int64 */
            uptime_s: number;
            verdicts?: null | components["schemas"]["VerdictsView"];
            version: string;
        };
        /** @description A report that was due. */
        SendingView: {
            /**
             * Format: int64
             * @description When it was due.
             */
            at: number;
            /** Format: int32 */
            attempts: number;
            /** Format: int64 */
            ended?: number | null;
            error: string;
            /** Format: int64 */
            from: number;
            /** Format: int64 */
            id: number;
            /** Format: int32 */
            mailing: number;
            /**
             * Format: int64
             * @description When it is tried next, if it waits.
             */
            next?: number | null;
            /** @description waiting, trying, delivered or failed. */
            state: string;
            /** Format: int64 */
            until: number;
        };
        /** @description A certificate. */
        ServedCertificate: {
            sha256: string;
            /** @description Why what is on the disk by now is not served; null: it is. */
            trouble?: string | null;
        };
        /** @description Who is signed in. */
        SessionView: {
            demo: boolean;
            /** @description Nothing but the password can be used before it is changed. */
            must_change_password: boolean;
            /** Format: int64 */
            now: number;
            /** @description The role must have a second factor and has none: nothing else can be used before. */
            second_factor_missing: boolean;
            /** @description System, security and audit administration are in different hands. */
            separate_duties: boolean;
            user: components["schemas"]["User"];
            version: string;
        };
        Sessions: {
            items: components["schemas"]["SignedIn"][];
        };
        /** @enum {string} */
        SeverityWord: "critical" | "major" | "minor";
        /** @description What a shift was like, of the cameras in the caller's scope. */
        ShiftReport: {
            archive: components["schemas"]["ArchiveView"];
            /** @description Cameras whose status is another than when the shift began, worst first. */
            changed: components["schemas"]["ChangedCamera"][];
            /** Format: int32 */
            changed_in_all: number;
            /** Format: int64 */
            from: number;
            /** @description Open now, worst first. */
            incidents: components["schemas"]["OpenIncident"][];
            /** Format: int32 */
            incidents_open: number;
            /** Format: int32 */
            incidents_opened: number;
            /** Format: int32 */
            incidents_resolved: number;
            now: components["schemas"]["CountsView"];
            /** @description Open now: overdue first, then by when they are due. */
            orders: components["schemas"]["OpenOrder"][];
            /** Format: int32 */
            orders_closed: number;
            /** Format: int32 */
            orders_open: number;
            /** Format: int32 */
            orders_opened: number;
            /** Format: int32 */
            orders_overdue: number;
            own_faults: components["schemas"]["OwnFault"][];
            then?: null | components["schemas"]["CountsView"];
            /**
             * Format: int32
             * @description Of those, how many are offline now, whether told by name or not.
             */
            turned_offline: number;
            /**
             * Format: int32
             * @description And how many are online.
             */
            turned_online: number;
            /** Format: int64 */
            until: number;
            /** @description Maintenance that holds now, or begins within a day. */
            windows: components["schemas"]["WindowAhead"][];
        };
        SignIn: {
            /** @description The second factor, where there is one: six digits, or a recovery code. */
            code?: string | null;
            name: string;
            password: string;
        };
        /** @description Who, when, and what he said. */
        SignatureView: {
            /** Format: int64 */
            at: number;
            by: string;
            /** @description Name, full name and unit. */
            by_detail: string;
            note: string;
        };
        /** @description A signed-in browser. */
        SignedIn: {
            address: string;
            /** @description The browser, as it calls itself. */
            agent: string;
            /** Format: int64 */
            created: number;
            /** @description The one this was asked with. */
            current: boolean;
            /**
             * Format: int64
             * @description When it ends whatever happens.
             */
            expires: number;
            /** @description Names the session; says nothing about its token. */
            id: string;
            /** Format: int64 */
            used: number;
        };
        SiteCounts: {
            counts: components["schemas"]["CountsView"];
            /** Format: int32 */
            site: number;
            /** Format: int32 */
            total: number;
        };
        SiteEdit: {
            kind: components["schemas"]["SiteKindWord"];
            name: string;
            /** @description 统计用区划代码; null or empty takes it away. */
            stat_code?: string | null;
            /** Format: int32 */
            town: number;
        };
        /** @enum {string} */
        SiteKindWord: "village" | "central_area";
        /** @description A site as it is to be named and ordered. */
        SiteRecord: {
            /** Format: int32 */
            id: number;
            kind: components["schemas"]["SiteKindWord"];
            name: string;
            stat_code?: string | null;
            /** Format: int32 */
            town: number;
        };
        SiteView: {
            /** Format: int32 */
            id: number;
            kind: components["schemas"]["SiteKindWord"];
            name: string;
            /** Format: int32 */
            town: number;
        };
        /** @description A stored snapshot, or a scheduled one that could not be taken. */
        SnapshotEntry: (components["schemas"]["SnapshotView"] & {
            /** @enum {string} */
            kind: "snapshot";
        }) | (components["schemas"]["GapView"] & {
            /** @enum {string} */
            kind: "gap";
        });
        SnapshotName: {
            /** Format: int64 */
            captured: number;
            id: string;
        };
        SnapshotView: {
            /** Format: int32 */
            bytes: number;
            /** Format: int32 */
            camera: number;
            /**
             * Format: int64
             * @description What the camera's clock showed; null if its stream did not tell.
             */
            camera_clock?: number | null;
            /**
             * Format: int32
             * @description Half of the interval in which that lies, in milliseconds.
             */
            camera_clock_uncertainty_ms?: number | null;
            /**
             * Format: int64
             * @description When its first packet arrived, by our clock.
             */
            captured: number;
            cause?: null | components["schemas"]["CauseWord"];
            class: components["schemas"]["ClassWord"];
            codec: components["schemas"]["CodecWord"];
            converted_from?: null | components["schemas"]["CodecWord"];
            /** Format: int32 */
            height: number;
            id: string;
            /** @description Of the stored bytes, in hexadecimal. */
            sha256: string;
            /**
             * Format: int64
             * @description The scheduled instant.
             */
            slot: number;
            /** @description Of the camera at that time. */
            status: components["schemas"]["StatusWord"];
            /** Format: int32 */
            width: number;
        };
        /**
         * @description What a ladder rests on.
         * @enum {string}
         */
        Source: "session" | "probe";
        States: {
            /** Format: int64 */
            at: number;
            cameras: components["schemas"]["CameraState"][];
            counts: components["schemas"]["CountsView"];
            own_faults: components["schemas"]["OwnFault"][];
            /**
             * Format: int64
             * @description The newest event that is contained in this.
             */
            seq: number;
        };
        /** @enum {string} */
        StatusWord: "online" | "impaired" | "offline" | "unknown" | "paused";
        /** @description One link from a picture to the newest manifest. */
        StepView: {
            /** @description A hash, a day, a key; or what does not fit. */
            found: string;
            /** @description picture, record, tree, seal, manifest, signature or chain. */
            link: string;
            /** @description holds, fails or not_reached. */
            outcome: string;
        };
        /** @description Snapshots stored and missed. */
        Stored: {
            /** Format: int64 */
            gaps: number;
            /** Format: int64 */
            stored: number;
        };
        /** @enum {string} */
        StreamWord: "main" | "sub";
        Take: {
            note?: string | null;
        };
        /** @enum {string} */
        TargetKind: "camera" | "site" | "uplink" | "all";
        /** @description Which simulated cameras. */
        TargetView: {
            /**
             * Format: int32
             * @description Absent for all.
             */
            id?: number | null;
            kind: components["schemas"]["TargetKind"];
        };
        /** @description A machine's token. Neither it nor its hash ever leaves the service. */
        Token: {
            /** Format: int64 */
            created: number;
            /** Format: int64 */
            expires: number;
            /** Format: int32 */
            id: number;
            /** @description Who made it. */
            maker: string;
            name: string;
            /** Format: int64 */
            revoked?: number | null;
            role: components["schemas"]["RoleWord"];
            sites: number[];
            /** @description Only cameras of these towns and sites; all if both lists are empty. */
            towns: number[];
            /**
             * Format: int64
             * @description When it was last used, to some minutes.
             */
            used?: number | null;
        };
        TownCounts: {
            counts: components["schemas"]["CountsView"];
            /** Format: double */
            online_rate?: number | null;
            /** Format: int32 */
            total: number;
            /** Format: int32 */
            town: number;
        };
        TownView: {
            /** Format: int32 */
            id: number;
            name: string;
        };
        /** @enum {string} */
        TransportWord: "tcp" | "udp";
        TrendPoint: {
            /** Format: int64 */
            at: number;
            /** Format: double */
            completeness?: number | null;
            /** Format: double */
            intact?: number | null;
            /** Format: int64 */
            offline_ms: number;
            /** Format: double */
            online_by_duration?: number | null;
            /** Format: int32 */
            outages: number;
            /** Format: double */
            picture_fault?: number | null;
            /** Format: double */
            unknown?: number | null;
        };
        /** @enum {string} */
        TrendStep: "hour" | "day" | "month";
        Trial: {
            /**
             * Format: int32
             * @description The camera whose record is being changed: its account is used where the password is left out.
             */
            camera?: number | null;
            /** @description `rtsp://` or `rtsps://`. */
            main_url: string;
            password?: string;
            transport?: null | components["schemas"]["TransportWord"];
            username?: string;
        };
        /** @description A report whose mail did not arrive. */
        UnsentReport: {
            /** Format: int32 */
            attempts: number;
            error: string;
            /**
             * Format: int64
             * @description The time it tells of.
             */
            from: number;
            /** Format: int32 */
            mailing: number;
            name: string;
            /**
             * Format: int64
             * @description When it is tried next; null: given up.
             */
            next?: number | null;
            /** Format: int64 */
            until: number;
        };
        UpkeepView: {
            phone?: string | null;
            unit?: string | null;
        };
        UplinkEdit: {
            /**
             * Format: int32
             * @description Bandwidth for its cameras in kbit/s; null: no limit.
             */
            budget_kbps?: number | null;
            name: string;
            /** @description The OLT port it hangs on; null or empty takes it away. */
            olt?: string | null;
        };
        /** @description An uplink as it is to be named and budgeted. */
        UplinkRecord: {
            /** Format: int32 */
            budget_kbps?: number | null;
            cameras: number;
            /** Format: int32 */
            id: number;
            name: string;
            olt?: string | null;
        };
        UplinkView: {
            /** Format: int32 */
            id: number;
            name: string;
            /** @description The line terminal above it. */
            olt?: string | null;
        };
        /** @description A user. Password hashes never leave the service. */
        User: {
            active: boolean;
            /** Format: int64 */
            created: number;
            /** Format: int64 */
            expires?: number | null;
            full_name: string;
            /** Format: int32 */
            id: number;
            must_change_password: boolean;
            name: string;
            role: components["schemas"]["RoleWord"];
            /** @description He must show a one-time code, too. */
            second_factor: boolean;
            sites: number[];
            /** @description Only cameras of these towns and sites; all if both lists are empty. */
            towns: number[];
            unit: string;
        };
        UserChange: {
            active?: boolean | null;
            /**
             * Format: int64
             * @description Null: no end.
             */
            expires?: number | null;
            full_name?: string | null;
            role?: null | components["schemas"]["RoleWord"];
            sites?: number[] | null;
            towns?: number[] | null;
            unit?: string | null;
        };
        /** @description What people said of verdicts on pictures over the last 30 days. */
        VerdictsView: {
            classes: components["schemas"]["ClassView"][];
            /** Format: int64 */
            confirmed: number;
            /**
             * Format: double
             * @description Confirmed among those on which a word was said; null if there were none.
             */
            confirmed_share?: number | null;
            /** @description Exceptions in force. */
            exceptions: number;
            /** Format: int64 */
            false_alarms: number;
            /**
             * Format: int64
             * @description Counted from then on.
             */
            since: number;
        };
        /** @description A fresh climb of one camera's ladder. */
        VerificationView: {
            /** Format: int64 */
            at: number;
            by: string;
            /** Format: int32 */
            camera: number;
            cause?: null | components["schemas"]["CauseWord"];
            layer?: null | components["schemas"]["LayerWord"];
            passed: boolean;
            /** Format: int64 */
            picture?: number | null;
        };
        /** @description A snapshot and whether its stored bytes still are what was written. */
        Verified: components["schemas"]["SnapshotView"] & {
            verified: boolean;
        } & {
            /** @enum {string} */
            kind: "snapshot";
        };
        /** @description How a verification went. */
        VerifiedOrder: {
            ladder: components["schemas"]["Ladder"];
            order: components["schemas"]["OrderView"];
        };
        VerifyOrder: {
            /** Format: int32 */
            camera: number;
        };
        Vocabulary: {
            causes: components["schemas"]["CauseText"][];
            classes: components["schemas"]["Word"][];
            hold_reasons: components["schemas"]["Word"][];
            joinings: components["schemas"]["JoiningText"][];
            layers: components["schemas"]["Word"][];
            likely: components["schemas"]["Word"][];
            order_outcomes: components["schemas"]["Word"][];
            order_states: components["schemas"]["Word"][];
            parts: components["schemas"]["Word"][];
            roles: components["schemas"]["Word"][];
            rule_scopes: components["schemas"]["Word"][];
            rules: components["schemas"]["RuleText"][];
            severities: components["schemas"]["Word"][];
            shared: components["schemas"]["Word"][];
            situations: components["schemas"]["Word"][];
            statuses: components["schemas"]["Word"][];
        };
        /** @description Maintenance in short. */
        WindowAhead: {
            /** Format: int64 */
            from: number;
            /** Format: int64 */
            id: number;
            reason: string;
            scope: components["schemas"]["ScopeView"];
            /** Format: int64 */
            until: number;
        };
        /** @description Planned maintenance. */
        WindowView: {
            by: string;
            /**
             * Format: int32
             * @description How many cameras it covers now.
             */
            cameras: number;
            /** Format: int64 */
            created: number;
            /**
             * Format: int64
             * @description Ended early; before `from`: called off.
             */
            ended?: number | null;
            ended_by?: string | null;
            /** @description Taken out of the denominators of published rates. */
            excused: boolean;
            /** Format: int64 */
            from: number;
            /** Format: int64 */
            id: number;
            reason: string;
            scope: components["schemas"]["ScopeView"];
            /**
             * Format: int64
             * @description As planned.
             */
            until: number;
        };
        /** @description A code word and what it is called. */
        Word: {
            code: string;
            en: string;
            zh: string;
        };
        /** @description What a person said of a verdict. */
        WordView: {
            /** Format: int64 */
            at: number;
            cause: components["schemas"]["CauseWord"];
            reason: string;
            said: components["schemas"]["SaidWord"];
            /** Format: int64 */
            since: number;
            /**
             * Format: int64
             * @description Of a false alarm: until when the class is not told.
             */
            until?: number | null;
            who: string;
            who_detail: string;
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
