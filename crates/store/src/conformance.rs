//! The suite that every [`Store`] must pass: what the trait's documentation says, as assertions.
//!
//! Compiled always and without dependencies, so that any crate's tests can call [`run`]. Panics at the first breach.

mod accounts;
mod audit;
mod changes;
mod decided;
mod exports;
mod facts;
mod findings;
mod handovers;
mod ledger;
mod mailings;
mod notices;
mod orders;
mod people;
mod pictures;
mod register;
mod samples;
mod streams;
mod windows;

use crate::Store;
use std::sync::Arc;

/// Runs every case, each on an empty store of its own from `make`.
///
/// # Panics
/// If the store breaks its contract; the message says where.
pub async fn run(make: impl AsyncFn() -> Arc<dyn Store>) {
    macro_rules! cases {
        ($($module:ident::$case:ident),* $(,)?) => {
            $({
                let store = make().await;
                $module::$case(store.as_ref()).await;
                store.close().await;
                assert!(store.users().await.is_err(), "a closed store still answers");
            })*
        };
    }
    cases![
        register::starts_empty_and_keeps_what_it_was_given,
        register::replaces_by_id_and_takes_all_or_nothing,
        facts::changes_become_intervals_without_holes,
        facts::the_condition_tells_of_the_newest_write,
        facts::repeating_a_batch_changes_nothing,
        facts::a_clock_set_back_loses_nothing,
        facts::a_stop_ends_what_nobody_watched,
        facts::time_nobody_saw_is_unknown,
        facts::time_adds_up,
        facts::history_pages_meet,
        facts::incidents_are_found_by_each_filter,
        facts::incident_pages_meet,
        windows::are_found_by_when_they_hold_and_ended_once,
        windows::have_a_limit,
        notices::channels_come_change_and_go,
        notices::messages_and_marks_are_kept_together_and_in_order,
        notices::what_was_told_of_orders_is_kept_with_its_messages,
        notices::what_was_told_already_is_not_kept_again,
        notices::parts_go_one_after_the_other_and_count_once,
        notices::what_is_refused_for_good_steps_aside,
        notices::a_crash_during_a_try_repeats_it_once,
        notices::a_clock_that_is_set_holds_back_no_message,
        mailings::mailings_come_change_and_go,
        mailings::a_period_is_sent_once_and_tried_until_it_arrives,
        mailings::who_was_left_out_is_tried_again_and_told_at_the_end,
        orders::change_one_version_at_a_time,
        orders::are_found_by_each_filter,
        orders::pictures_are_kept_with_their_order,
        orders::what_was_found_is_kept_on_the_incident,
        ledger::roll_ups_say_what_the_intervals_say,
        ledger::any_range_is_what_the_intervals_say,
        ledger::a_changed_past_is_counted_again,
        ledger::nothing_is_counted_that_may_still_come,
        ledger::a_clock_that_was_ahead_spoils_no_later_day,
        ledger::snapshots_are_counted_by_hour,
        ledger::trends_add_up,
        ledger::frozen_months_stay,
        ledger::histories_explain_the_figures,
        decided::windows_are_excused_or_count_as_time_without_video,
        decided::a_camera_is_in_a_window_while_it_belongs_there,
        decided::an_approved_hold_is_out_of_the_figures,
        decided::a_frozen_month_hears_of_no_decision,
        decided::what_is_asked_for_afterwards_counts_when_another_person_granted_it,
        people::names_are_compared_without_case_and_never_taken_twice,
        people::users_change_and_lose_their_sessions,
        people::sessions_come_and_go,
        changes::who_saw_an_older_register_changes_nothing,
        changes::a_change_is_taken_back_with_accounts_and_all,
        changes::the_taking_back_is_taken_back,
        accounts::tokens_are_found_by_hash_and_stay_when_revoked,
        accounts::a_second_factor_is_used_up_step_by_step,
        audit::records_are_numbered_and_chained,
        audit::records_are_found_by_each_filter,
        audit::many_at_once_make_one_chain,
        audit::hostile_cursors_are_refused,
        exports::exports_are_numbered_changed_and_found,
        exports::the_log_is_found_by_what_it_is_about,
        pictures::baselines_are_replaced_and_dropped,
        pictures::the_last_word_on_a_verdict_counts,
        pictures::exceptions_end,
        streams::formats_are_kept_when_they_change,
        streams::certificates_are_kept_and_forgotten,
        handovers::follow_each_other_and_are_taken_once,
        findings::findings_last_until_they_end,
        findings::settings_are_replaced,
    ];
}
