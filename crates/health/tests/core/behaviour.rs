//! What the core does, told as short stories: one rule each.
#![allow(clippy::unwrap_used)]

use crate::sim::{Act, Fault, S, World, county::County};
use fleet::{CameraId, Cause, Olt, Status, UplinkId};
use health::{Config, OwnPart, Scope, Severity};

fn world(county: County) -> World {
    World::new(county, Config::default(), 7)
}

/// A world in which everything runs.
fn running(county: County) -> World {
    let mut w = world(county);
    w.run_to(60 * S);
    assert_eq!(w.counts()[0] as usize, w.cams.len(), "all are online after a minute");
    w
}

fn camera(i: u32) -> Scope {
    Scope::Camera(CameraId(i + 1))
}

fn link(i: u32) -> Scope {
    Scope::Uplink(UplinkId(i + 1))
}

mod start {
    use super::*;

    #[test]
    fn eight_hundred_healthy_cameras_are_online_within_twenty_seconds() {
        let links: Vec<usize> = (0..291).map(|i| if i < 18 { 10 } else { 2 + usize::from(i % 7 == 0) }).collect();
        let mut w = world(County::of(&links));
        w.run_to(20 * S);
        let last_open = w.log.opens.last().unwrap().0;
        assert!(last_open < 15 * S, "the last was opened at {} ms", last_open / crate::sim::MS);
        assert_eq!(w.counts()[0] as usize, w.cams.len());
        assert!(w.busiest_second_of_opens() <= 67, "{} in one second", w.busiest_second_of_opens());
        w.assert_sound();
    }

    #[test]
    fn a_camera_begins_unknown_and_is_online_only_with_its_first_picture() {
        let w = running(County::of(&[1]));
        assert_eq!(w.changes(0, 0), [(Status::Unknown, Some(Cause::NotYetChecked)), (Status::Online, None)]);
        assert_eq!(w.log.statuses[0][0].1.from, None);
    }

    #[test]
    fn a_dead_camera_is_offline_after_a_second_try() {
        let mut w = world(County::of(&[3]));
        w.act(Act::Camera(0, Fault::PowerOff, true));
        w.run_to(30 * S);
        assert_eq!(w.status(0), (Status::Offline, Some(Cause::NoAnswer)));
        assert!(w.told(0, Status::Offline, 0).unwrap() < 15 * S);
        assert_eq!(w.log.opens.iter().filter(|(t, c)| *c == 0 && *t < 9 * S).count(), 2);
        w.assert_sound();
    }

    #[test]
    fn every_camera_is_photographed_at_once_and_then_every_five_minutes() {
        let mut w = running(County::of(&[3, 2, 10]));
        for slots in &w.log.slots {
            assert!(!slots.is_empty());
        }
        w.run_to(3000 * S);
        for camera in 0..w.cams.len() {
            assert!(w.longest_without_slot(camera) <= 310 * S, "camera {camera}");
            assert!(w.log.slots[camera].values().all(|(_, stored, _)| *stored == 1));
        }
        w.assert_sound();
    }
}

mod outage {
    use super::*;

    #[test]
    fn a_dead_camera_is_offline_within_fifteen_seconds_and_told_alone() {
        let mut w = running(County::of(&[3, 3]));
        w.act(Act::Camera(1, Fault::PowerOff, true));
        w.pass(60 * S);
        assert!(w.told(1, Status::Offline, 60 * S).unwrap() <= 75 * S);
        assert_eq!(w.status(1), (Status::Offline, Some(Cause::NoAnswer)));
        assert_eq!(w.scopes(), [camera(1)]);
        let incident = &w.incidents()[0];
        assert_eq!(incident.likely, health::LikelyCause::Camera);
        assert_eq!(incident.severity, Severity::Major);
        w.act(Act::Camera(1, Fault::PowerOff, false));
        w.pass(90 * S);
        assert_eq!(w.status(1).0, Status::Online);
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        w.assert_sound();
    }

    #[test]
    fn a_short_glitch_is_no_outage() {
        let mut w = running(County::of(&[3]));
        w.act(Act::Link(0, true));
        w.pass(4 * S);
        w.act(Act::Link(0, false));
        w.pass(60 * S);
        assert_eq!(w.changes(0, 60 * S), []);
        assert!(w.incidents().is_empty());
        w.assert_sound();
    }

    #[test]
    fn a_restarted_camera_is_retried_at_once_and_stays_online() {
        let mut w = running(County::of(&[3]));
        w.act(Act::Camera(0, Fault::PowerOff, true));
        w.pass(2 * S);
        w.act(Act::Camera(0, Fault::PowerOff, false));
        w.pass(60 * S);
        assert_eq!(w.changes(0, 60 * S), []);
        w.assert_sound();
    }

    #[test]
    fn a_stalled_camera_says_that_no_data_comes() {
        let mut w = running(County::of(&[3]));
        w.act(Act::Camera(0, Fault::Stall, true));
        w.pass(20 * S);
        assert_eq!(w.status(0), (Status::Offline, Some(Cause::NoRtp)));
        assert!(w.told(0, Status::Offline, 60 * S).unwrap() <= 75 * S);
        w.assert_sound();
    }

    #[test]
    fn a_refused_password_is_sent_once_and_again_only_when_it_changed_or_a_person_asks() {
        let mut w = running(County::of(&[3]));
        w.act(Act::Camera(0, Fault::Password, true));
        w.pass(3600 * S);
        assert_eq!(w.status(0), (Status::Offline, Some(Cause::PasswordRefused)));
        let tries = |w: &World| w.log.opens.iter().filter(|(t, c)| *c == 0 && *t > 60 * S).count();
        assert_eq!(tries(&w), 1);
        w.act(Act::CheckNow(0));
        w.pass(10 * S);
        assert_eq!(tries(&w), 2);
        w.act(Act::Correct(0));
        w.pass(30 * S);
        assert_eq!(w.status(0).0, Status::Online);
        assert_eq!(w.scopes(), [camera(0)]);
        w.assert_sound();
    }

    #[test]
    fn a_refused_password_is_not_sent_again_after_a_restart() {
        for crash in [false, true] {
            let mut w = running(County::of(&[3]));
            w.act(Act::Camera(0, Fault::Password, true));
            w.pass(60 * S);
            w.act(Act::Restart { crash });
            w.pass(600 * S);
            assert_eq!(w.status(0), (Status::Offline, Some(Cause::PasswordRefused)));
            assert_eq!(w.log.opens.iter().filter(|(t, c)| *c == 0 && *t > 60 * S).count(), 1);
            assert_eq!(w.scopes(), [camera(0)]);
            w.assert_sound();
        }
    }

    #[test]
    fn a_corrected_password_is_tried_after_a_restart_though_the_clock_was_ahead_when_it_was_refused() {
        let mut w = running(County::of(&[3]));
        w.act(Act::WallStep(3_600_000));
        w.pass(10 * S);
        w.act(Act::Camera(0, Fault::Password, true));
        w.pass(60 * S);
        assert_eq!(w.status(0), (Status::Offline, Some(Cause::PasswordRefused)));
        w.act(Act::WallStep(-3_600_000));
        w.pass(60 * S);
        // No time to try it in between.
        w.act(Act::Correct(0));
        w.act(Act::Restart { crash: false });
        w.pass(60 * S);
        assert_eq!(w.status(0), (Status::Online, None));
    }

    #[test]
    fn slots_of_an_offline_camera_are_gaps_with_its_cause() {
        let mut w = running(County::of(&[3]));
        w.act(Act::Camera(0, Fault::PowerOff, true));
        w.pass(3000 * S);
        let gaps = w.log.slots[0].values().filter(|(_, _, gaps)| *gaps == 1).count();
        assert!((9..=11).contains(&gaps), "{gaps} gaps in 50 minutes");
        w.assert_sound();
    }

    #[test]
    fn a_camera_that_comes_and_goes_is_flapping_and_keeps_one_incident() {
        let mut w = running(County::of(&[3]));
        for _ in 0..8 {
            w.act(Act::Camera(0, Fault::PowerOff, true));
            w.pass(20 * S);
            w.act(Act::Camera(0, Fault::PowerOff, false));
            w.pass(25 * S);
        }
        assert!(w.fleet.row(CameraId(1)).unwrap().flapping);
        assert_eq!(w.scopes(), [camera(0)]);
        assert!(w.incidents()[0].is_open());
        w.pass(700 * S);
        assert!(!w.fleet.row(CameraId(1)).unwrap().flapping);
        assert!(!w.incidents()[0].is_open());
        w.assert_sound();
    }
}

mod picture {
    use super::*;

    #[test]
    fn faults_of_a_camera_that_delivers_make_it_impaired_and_go_away() {
        for (fault, cause) in [
            (Fault::Frozen, Cause::PictureFrozen),
            (Fault::Corrupt, Cause::DecodeFailed),
            (Fault::Loss, Cause::PacketLoss),
            (Fault::SlowFrames, Cause::LowFrameRate),
            (Fault::Clock, Cause::ClockWrong),
        ] {
            let mut w = running(County::of(&[3]));
            w.act(Act::Camera(0, fault, true));
            w.pass(240 * S);
            assert_eq!(w.status(0), (Status::Impaired, Some(cause)), "{fault:?}");
            assert_eq!(w.scopes(), [camera(0)], "{fault:?}");
            assert_eq!(w.incidents()[0].severity, Severity::Minor);
            w.act(Act::Camera(0, fault, false));
            w.pass(120 * S);
            assert_eq!(w.status(0), (Status::Online, None), "{fault:?}");
            assert!(!w.incidents()[0].is_open(), "{fault:?}");
            w.assert_sound();
        }
    }
}

mod correlation {
    use super::*;

    #[test]
    fn a_village_that_goes_dark_is_one_incident() {
        let mut w = running(County::of(&[3, 2, 10]));
        for i in [0, 2] {
            w.act(Act::Link(i, true));
        }
        w.pass(60 * S);
        assert_eq!(w.counts(), [2, 0, 13, 0, 0]);
        let mut scopes = w.scopes();
        scopes.sort();
        assert_eq!(scopes, [link(0), link(2)]);
        for incident in w.incidents() {
            assert_eq!(incident.likely, health::LikelyCause::PowerOrFibre);
            assert!(incident.confidence >= 80);
        }
        assert_eq!(w.log.incidents.len(), 2, "no single incident was opened first");
        for i in [0, 2] {
            w.act(Act::Link(i, false));
        }
        w.pass(80 * S);
        assert_eq!(w.counts()[0], 15);
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        w.assert_sound();
    }

    #[test]
    fn all_cameras_of_a_central_area_are_offline_within_fifteen_seconds() {
        let mut w = running(County::of(&[10]));
        w.act(Act::Link(0, true));
        w.pass(15 * S);
        assert_eq!(w.counts()[2], 10);
    }

    #[test]
    fn the_only_camera_of_a_link_is_no_evidence_against_it() {
        let mut w = running(County::of(&[1, 3]));
        w.act(Act::Link(0, true));
        w.pass(60 * S);
        assert_eq!(w.scopes(), [camera(0)]);
        let incident = &w.incidents()[0];
        assert_eq!((incident.likely, incident.confidence), (health::LikelyCause::PowerOrFibre, 40));
        w.assert_sound();
    }

    #[test]
    fn two_of_three_are_two_incidents() {
        let mut w = running(County::of(&[3]));
        w.act(Act::Camera(0, Fault::PowerOff, true));
        w.act(Act::Camera(1, Fault::PowerOff, true));
        w.pass(60 * S);
        assert_eq!(w.scopes(), [camera(0), camera(1)]);
        w.assert_sound();
    }

    #[test]
    fn several_links_of_one_terminal_are_one_incident_of_the_terminal() {
        let mut w = running(County::with_olts(&[&[3, 1, 2, 1], &[2, 2]]));
        w.act(Act::Olt(0, true));
        w.pass(60 * S);
        assert_eq!(w.scopes(), [Scope::Olt(Olt("olt 0".into()))]);
        let incident = w.top_level().remove(0);
        assert_eq!(incident.members.len(), 7);
        assert_eq!(incident.severity, Severity::Critical);
        assert_eq!(incident.likely, health::LikelyCause::Trunk);
        w.act(Act::Olt(0, false));
        w.pass(90 * S);
        assert_eq!(w.counts()[0], 11);
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        w.assert_sound();
    }

    #[test]
    fn one_link_of_a_terminal_is_no_fault_of_the_terminal() {
        let mut w = running(County::with_olts(&[&[3, 1, 2, 1]]));
        w.act(Act::Link(0, true));
        w.pass(60 * S);
        assert_eq!(w.scopes(), [link(0)]);
    }

    /// Links of a town, and one of another: each with its line terminal, or none, its site, its town and its cameras.
    fn places(links: &[(Option<usize>, usize, usize, usize)]) -> County {
        let olts = links.iter().filter_map(|l| l.0).max().map_or(0, |o| o + 1);
        let links =
            links.iter().map(|&(olt, site, town, cameras)| crate::sim::county::Link { olt, cameras, site, town });
        County { links: links.collect(), olts, subs: false, budget: None }
    }

    fn rules(incident: &health::Incident) -> Vec<&str> {
        incident.evidence.iter().map(|e| e.rule.as_str()).collect()
    }

    #[test]
    fn several_villages_of_a_town_without_a_common_terminal_are_one_incident_of_the_town() {
        let mut w = running(places(&[(Some(0), 0, 0, 2), (Some(1), 1, 0, 3), (None, 2, 0, 1), (Some(0), 3, 1, 2)]));
        w.act(Act::Town(0, true));
        w.pass(60 * S);
        assert_eq!(w.scopes(), [Scope::Town(fleet::TownId(1))]);
        let incident = w.top_level().remove(0);
        assert_eq!((incident.members.len(), incident.severity), (6, Severity::Critical));
        assert_eq!((incident.likely, rules(&incident)), (health::LikelyCause::Power, vec!["town_silent", "join_town"]));
        assert_eq!(incident.evidence[1].weight, 100);
        assert!(incident.evidence[1].en.contains("3 links of it with 6 cameras"), "{:?}", incident.evidence);
        w.act(Act::Town(0, false));
        w.pass(90 * S);
        assert_eq!(w.counts()[0], 8);
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        w.assert_sound();
    }

    #[test]
    fn villages_of_a_town_that_share_a_terminal_are_the_terminals() {
        let mut w = running(places(&[(Some(0), 0, 0, 2), (Some(0), 1, 0, 3), (Some(0), 2, 0, 1), (Some(0), 3, 1, 2)]));
        w.act(Act::Olt(0, true));
        w.pass(60 * S);
        assert_eq!(w.scopes(), [Scope::Olt(Olt("olt 0".into()))]);
        w.assert_sound();
    }

    #[test]
    fn villages_that_fall_silent_minutes_apart_or_among_others_that_deliver_are_no_town() {
        let town = [(None, 0, 0, 2), (None, 1, 0, 2), (None, 2, 0, 2)];
        let mut w = running(places(&town));
        for village in 0..3 {
            w.act(Act::Link(village, true));
            w.pass(40 * S);
        }
        w.pass(60 * S);
        assert_eq!(w.scopes(), [link(0), link(1), link(2)], "a storm goes from village to village");
        let mut w = running(places(&[&town[..], &[(None, 3, 0, 3)]].concat()));
        for village in 0..3 {
            w.act(Act::Link(village, true));
        }
        w.pass(60 * S);
        assert_eq!(w.scopes().len(), 3, "a third of the town delivers: {:?}", w.scopes());
    }

    #[test]
    fn a_site_whose_two_links_fail_together_is_one_incident_of_the_site() {
        let mut w = running(places(&[(Some(0), 0, 0, 4), (Some(1), 0, 0, 2), (Some(0), 1, 0, 2), (Some(1), 2, 0, 2)]));
        w.act(Act::Site(0, true));
        w.pass(60 * S);
        assert_eq!(w.scopes(), [Scope::Site(fleet::SiteId(1))]);
        let incident = w.top_level().remove(0);
        assert_eq!((incident.likely, rules(&incident)), (health::LikelyCause::Power, vec!["site_silent", "join_site"]));
        w.act(Act::Site(0, false));
        w.pass(90 * S);
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        // One of its two links is the link's.
        w.pass(400 * S);
        w.act(Act::Link(1, true));
        w.pass(60 * S);
        assert_eq!(w.scopes().last(), Some(&link(1)));
        w.assert_sound();
    }

    #[test]
    fn who_is_still_dead_three_minutes_after_the_link_returned_gets_its_own_incident() {
        let mut w = running(County::of(&[4]));
        w.act(Act::Link(0, true));
        w.pass(60 * S);
        w.act(Act::Camera(2, Fault::PowerOff, true));
        w.act(Act::Link(0, false));
        w.pass(150 * S);
        assert_eq!(w.scopes(), [link(0)]);
        w.pass(150 * S);
        assert_eq!(w.scopes(), [link(0), camera(2)]);
        let incidents = w.top_level();
        assert!(!incidents[0].is_open() && incidents[1].is_open());
        assert_eq!(incidents[1].evidence[0].rule, "camera_after_return");
        w.act(Act::Camera(2, Fault::PowerOff, false));
        w.pass(120 * S);
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        w.assert_sound();
    }

    #[test]
    fn of_a_village_of_three_two_may_stay_dead_and_a_restart_forgets_that_as_little() {
        for restart in [false, true] {
            let mut w = running(County::of(&[3, 2]));
            w.act(Act::Link(0, true));
            w.pass(60 * S);
            for dead in [1, 2] {
                w.act(Act::Camera(dead, Fault::PowerOff, true));
            }
            w.act(Act::Link(0, false));
            w.pass(60 * S);
            if restart {
                w.act(Act::Restart { crash: true });
            }
            w.pass(260 * S);
            let told: Vec<Scope> =
                w.top_level().into_iter().filter(health::Incident::is_open).map(|i| i.scope).collect();
            assert_eq!(told, [camera(1), camera(2)], "restart: {restart}");
            w.assert_sound();
        }
    }

    #[test]
    fn who_was_paused_in_a_dark_village_says_nothing_about_its_link() {
        let mut w = running(County::of(&[3, 2]));
        w.act(Act::Link(0, true));
        w.pass(60 * S);
        w.act(Act::Pause(0, Some(3600 * S)));
        w.pass(400 * S);
        let told: Vec<Scope> = w.top_level().into_iter().filter(health::Incident::is_open).map(|i| i.scope).collect();
        assert_eq!(told, [link(0)]);
        w.assert_sound();
    }

    #[test]
    fn a_link_that_fails_again_soon_reopens_its_incident() {
        let mut w = running(County::of(&[3]));
        for _ in 0..3 {
            w.act(Act::Link(0, true));
            w.pass(60 * S);
            w.act(Act::Link(0, false));
            w.pass(100 * S);
        }
        assert_eq!(w.scopes(), [link(0)]);
        let again = &w.incidents()[0].reopened;
        assert_eq!(again.len(), 2, "it says that it was opened again, and when");
        assert!(again.windows(2).all(|t| (150_000..170_000).contains(&t[1].millis_since(t[0]))), "{again:?}");
        w.act(Act::Restart { crash: true });
        w.pass(60 * S);
        w.act(Act::Link(0, true));
        w.pass(60 * S);
        assert_eq!(w.incidents()[0].reopened.len(), 3, "over a restart too");
        w.assert_sound();
    }

    #[test]
    fn a_fault_of_an_older_day_is_not_folded_into_todays() {
        let mut w = running(County::of(&[3]));
        w.act(Act::Camera(0, Fault::PowerOff, true));
        w.pass(900 * S);
        w.act(Act::Link(0, true));
        w.pass(60 * S);
        assert_eq!(w.scopes(), [camera(0), link(0)]);
        assert_eq!(w.incidents()[1].members.len(), 2);
        w.assert_sound();
    }

    #[test]
    fn incidents_continue_over_a_restart() {
        for crash in [false, true] {
            let mut w = running(County::of(&[3, 2]));
            w.act(Act::Link(0, true));
            w.act(Act::Camera(3, Fault::PowerOff, true));
            w.pass(60 * S);
            w.act(Act::Restart { crash });
            w.pass(60 * S);
            let mut scopes = w.scopes();
            scopes.sort();
            assert_eq!(scopes, [camera(3), link(0)], "crash {crash}");
            assert!(w.incidents().iter().all(health::Incident::is_open));
            w.act(Act::Link(0, false));
            w.act(Act::Camera(3, Fault::PowerOff, false));
            w.pass(120 * S);
            assert!(w.incidents().iter().all(|i| !i.is_open()));
            w.assert_sound();
        }
    }
}

mod ourselves {
    use super::*;

    #[test]
    fn while_our_network_is_at_fault_no_camera_goes_offline() {
        let mut w = running(County::of(&[3, 3, 2]));
        w.act(Act::OwnNetwork(true));
        w.pass(3 * S);
        w.act(Act::Own(OwnPart::Network, true));
        w.pass(60 * S);
        assert_eq!(w.counts(), [0, 0, 0, 8, 0]);
        assert_eq!(w.status(0), (Status::Unknown, Some(Cause::OwnNetwork)));
        assert_eq!(w.scopes(), [Scope::Own]);
        w.act(Act::OwnNetwork(false));
        w.act(Act::Own(OwnPart::Network, false));
        w.pass(30 * S);
        assert_eq!(w.counts()[0], 8);
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        assert!((0..8).all(|c| w.told(c, Status::Offline, 0).is_none()));
        w.assert_sound();
    }

    #[test]
    fn what_went_offline_just_before_our_fault_was_noticed_is_doubted_too() {
        let mut w = running(County::of(&[3, 3, 2]));
        w.act(Act::OwnNetwork(true));
        w.pass(25 * S);
        assert_eq!(w.counts()[2], 8);
        w.act(Act::Own(OwnPart::Network, true));
        assert_eq!(w.counts()[3], 8);
        assert_eq!(w.scopes(), [Scope::Own]);
        w.assert_sound();
    }

    #[test]
    fn an_implausible_share_is_doubted_for_a_minute_and_then_told_as_one() {
        let links = [3usize; 20];
        let mut w = running(County::of(&links));
        for l in 0..12 {
            w.act(Act::Link(l, true));
        }
        w.pass(30 * S);
        assert_eq!(w.counts(), [24, 0, 0, 36, 0]);
        assert_eq!(w.status(0), (Status::Unknown, Some(Cause::ImplausibleChange)));
        assert_eq!(w.scopes(), [Scope::Own]);
        w.pass(60 * S);
        assert_eq!(w.counts(), [24, 0, 36, 0, 0]);
        assert_eq!(w.scopes(), [Scope::County]);
        for l in 0..12 {
            w.act(Act::Link(l, false));
        }
        w.pass(120 * S);
        assert_eq!(w.counts()[0], 60);
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        w.assert_sound();
    }

    #[test]
    fn an_implausible_loss_that_heals_is_no_outage_of_anybody() {
        let mut w = running(County::of(&[3usize; 20]));
        w.act(Act::OwnNetwork(true));
        w.pass(30 * S);
        assert_eq!(w.counts()[3], 60);
        w.act(Act::OwnNetwork(false));
        w.pass(90 * S);
        assert_eq!(w.counts()[0], 60);
        assert_eq!(w.scopes(), [Scope::Own]);
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        w.assert_sound();
    }

    #[test]
    fn an_overloaded_machine_blames_no_camera() {
        let mut w = running(County::of(&[3usize; 4]));
        // Noticed only after the first cameras were called offline.
        w.act(Act::Camera(0, Fault::Stall, true));
        w.act(Act::Camera(1, Fault::PowerOff, true));
        w.pass(25 * S);
        assert_eq!(w.status(0).0, Status::Offline);
        w.act(Act::Own(OwnPart::Machine, true));
        assert_eq!(w.status(0), (Status::Unknown, Some(Cause::OwnMachine)));
        assert_eq!(w.status(1), (Status::Unknown, Some(Cause::OwnMachine)));
        w.act(Act::Camera(4, Fault::PowerOff, true));
        w.pass(60 * S);
        assert_eq!(w.status(4), (Status::Unknown, Some(Cause::OwnMachine)));
        assert_eq!(w.counts()[0], 9);
        w.act(Act::Own(OwnPart::Machine, false));
        w.act(Act::Camera(0, Fault::Stall, false));
        w.pass(60 * S);
        assert_eq!(w.status(0), (Status::Online, None));
        assert_eq!(w.status(4), (Status::Offline, Some(Cause::NoAnswer)));
        w.assert_sound();
    }

    #[test]
    fn without_a_decoder_a_picture_holds_for_three_minutes_and_a_lost_session_is_a_lost_session() {
        let mut w = running(County::of(&[3, 3]));
        w.act(Act::Camera(4, Fault::Loss, true));
        w.pass(60 * S);
        w.act(Act::OwnDecoder(true));
        w.pass(100 * S);
        assert_eq!(w.counts(), [5, 1, 0, 0, 0], "what was judged a moment ago is known");
        w.act(Act::Camera(0, Fault::PowerOff, true));
        w.pass(200 * S);
        assert_eq!(w.status(0), (Status::Offline, Some(Cause::NoAnswer)), "no decoder is needed to see that");
        assert_eq!(w.status(4), (Status::Impaired, Some(Cause::PacketLoss)), "nor that packets are lost");
        assert_eq!(w.counts(), [0, 1, 1, 4, 0]);
        assert_eq!(w.status(1), (Status::Unknown, Some(Cause::OwnDecoder)));
        let open: Vec<Scope> = w.incidents().into_iter().filter(health::Incident::is_open).map(|i| i.scope).collect();
        assert_eq!(open.iter().filter(|s| **s == Scope::Own).count(), 1, "{open:?}");
        assert_eq!(open.len(), 3, "our own, the dark one's and the lossy one's: {open:?}");
        // It is back, and whether its picture is good nobody can tell.
        w.act(Act::Camera(0, Fault::PowerOff, false));
        w.act(Act::Camera(4, Fault::Loss, false));
        w.pass(90 * S);
        assert_eq!(w.counts(), [0, 0, 0, 6, 0]);
        w.act(Act::OwnDecoder(false));
        w.pass(30 * S);
        assert_eq!(w.counts()[0], 6);
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        w.assert_sound();
    }

    #[test]
    fn an_offline_camera_is_unknown_while_our_network_is_at_fault_and_keeps_its_incident() {
        let mut w = running(County::of(&[3, 3]));
        w.act(Act::Camera(0, Fault::PowerOff, true));
        w.pass(120 * S);
        w.act(Act::OwnNetwork(true));
        w.act(Act::Own(OwnPart::Network, true));
        w.pass(90 * S);
        assert_eq!(w.counts(), [0, 0, 0, 6, 0], "whether it came back nobody can tell");
        w.act(Act::OwnNetwork(false));
        w.act(Act::Own(OwnPart::Network, false));
        w.pass(60 * S);
        assert_eq!(w.counts(), [5, 0, 1, 0, 0]);
        let mut scopes = w.scopes();
        scopes.sort();
        assert_eq!(scopes, [camera(0), Scope::Own]);
        w.assert_sound();
    }

    #[test]
    fn while_the_database_is_away_everything_is_known_and_what_is_lost_with_the_process_is_unknown_on_record() {
        let mut w = running(County::of(&[3, 3]));
        w.act(Act::OwnDatabase(true));
        w.act(Act::Camera(0, Fault::PowerOff, true));
        w.pass(300 * S);
        assert_eq!(w.counts(), [5, 0, 1, 0, 0], "the record is not the verdict");
        assert_eq!(w.books.statuses[0].last().unwrap().status, Status::Online, "nothing can be written");
        w.act(Act::OwnDatabase(false));
        w.pass(S);
        let told = w.told(0, Status::Offline, 0).unwrap();
        assert_eq!(w.books.statuses[0].last().unwrap().at, w.wall_of(told), "late, and with its true time");
        w.act(Act::Camera(0, Fault::PowerOff, false));
        w.pass(120 * S);
        assert!(w.incidents().iter().all(|i| !i.is_open()));

        w.act(Act::OwnDatabase(true));
        let (from, dark) = (w.t, w.t + 60 * S);
        w.pass(60 * S);
        w.act(Act::Link(0, true));
        w.pass(240 * S);
        w.act(Act::Restart { crash: true });
        let until = w.t;
        assert!(from < dark && (0..6).all(|c| w.claimed(c, from, until) == 0), "{:#?}", w.books.statuses);
        w.act(Act::OwnDatabase(false));
        w.pass(60 * S);
        assert_eq!(w.counts(), [3, 0, 3, 0, 0]);
        assert_eq!(w.top_level().iter().filter(|i| i.scope == link(0)).count(), 1);
        w.fleet.check_invariants();
    }

    #[test]
    fn a_full_disk_makes_gaps_of_our_own_and_no_verdict() {
        let mut w = running(County::of(&[3]));
        w.act(Act::OwnDisk(true));
        w.pass(700 * S);
        assert_eq!(w.counts()[0], 3);
        assert!(w.log.slots[0].values().filter(|(_, _, gaps)| *gaps == 1).count() >= 2);
        assert_eq!(w.scopes(), [Scope::Own]);
        w.assert_sound();
    }

    #[test]
    fn a_step_of_the_wall_clock_changes_no_verdict() {
        for step in [3_600_000, -3_600_000, 86_400_000, -86_400_000] {
            let mut w = running(County::of(&[3, 3, 2]));
            w.act(Act::WallStep(step));
            w.pass(600 * S);
            for camera in 0..8 {
                assert_eq!(w.changes(camera, 60 * S), [], "step {step}");
            }
            assert!(w.scopes().iter().all(|s| *s == Scope::Own), "{:?}", w.scopes());
            w.act(Act::WallStep(-step));
            w.act(Act::Camera(0, Fault::PowerOff, true));
            w.pass(60 * S);
            assert_eq!(w.status(0).0, Status::Offline);
            w.pass(600 * S);
            assert!(w.top_level().iter().all(|i| i.scope != Scope::Own || !i.is_open()));
            w.assert_sound();
        }
    }

    #[test]
    fn after_a_sleep_everything_is_found_again_and_missed_slots_are_gaps() {
        let mut w = running(County::of(&[3, 3]));
        w.act(Act::Sleep(1200 * S));
        w.pass(1300 * S);
        assert_eq!(w.counts()[0], 6);
        assert!((0..6).all(|c| w.told(c, Status::Offline, 0).is_none()));
        assert!(w.log.slots[0].values().filter(|(_, _, gaps)| *gaps == 1).count() >= 3);
        w.assert_sound();
    }

    #[test]
    fn time_in_which_nobody_looked_is_unknown_on_record_and_changes_no_verdict() {
        let mut w = running(County::of(&[3, 3]));
        w.act(Act::Camera(0, Fault::PowerOff, true));
        w.pass(120 * S);
        let from = w.t;
        w.act(Act::Sleep(1200 * S));
        w.pass(1200 * S);
        assert_eq!(w.counts(), [5, 0, 1, 0, 0], "what was known goes on until something else is seen");
        let own: Vec<_> = w.incidents().into_iter().filter(|i| i.scope == Scope::Own).collect();
        assert_eq!(own.iter().map(|i| (i.cause, i.is_open())).collect::<Vec<_>>(), [(Cause::OwnMachine, false)]);
        w.pass(120 * S);
        for i in 0..6 {
            assert_eq!(w.claimed(i, from, from + 1200 * S), 0, "camera {i}");
            let tally = w.books.tally(i, w.wall_of(from - 20 * S), w.wall_of(w.t));
            assert!(tally.of(health::ledger::Kind::Unknown) <= 1_230_000, "camera {i}: {tally:?}");
            assert_eq!(tally.began, 0, "camera {i}: an outage that goes on is no second one");
        }
        // Shorter than what a check leaves open anyway.
        let changes = w.books.statuses[1].len();
        w.act(Act::Sleep(15 * S));
        w.pass(120 * S);
        assert_eq!(w.books.statuses[1].len(), changes);
        w.assert_sound();
    }

    #[test]
    fn hours_that_a_step_of_the_clock_left_out_are_unknown_on_record() {
        for step in [3_600_000, 86_400_000] {
            let mut w = running(County::of(&[3]));
            w.pass(600 * S);
            w.act(Act::WallStep(step));
            w.pass(600 * S);
            for i in 0..3 {
                let tally = w.books.tally(i, w.wall_of(0), w.now().wall);
                let unknown = tally.of(health::ledger::Kind::Unknown);
                assert!((step..step + 30_000).contains(&unknown), "camera {i}: {tally:?}");
                assert!(tally.judged() <= 1_260_000, "camera {i}: {tally:?}");
            }
            w.assert_sound();
        }
    }
}

mod people {
    use super::*;

    #[test]
    fn a_pause_ends_by_itself_and_ends_incidents() {
        let mut w = running(County::of(&[3]));
        w.act(Act::Camera(0, Fault::PowerOff, true));
        w.pass(60 * S);
        w.act(Act::Pause(0, Some(600 * S)));
        assert_eq!(w.status(0), (Status::Paused, Some(Cause::Maintenance)));
        assert!(w.incidents().iter().all(|i| !i.is_open()));
        w.pass(590 * S);
        w.act(Act::Camera(0, Fault::PowerOff, false));
        let slots = w.log.slots[0].len();
        assert_eq!(w.counts()[4], 1);
        w.pass(30 * S);
        assert_eq!(w.status(0).0, Status::Online);
        assert!(w.log.slots[0].len() <= slots + 1);
        w.assert_sound();
    }

    #[test]
    fn a_pause_outlives_a_graceful_restart() {
        let mut w = running(County::of(&[3]));
        w.act(Act::Pause(0, Some(600 * S)));
        w.pass(60 * S);
        w.act(Act::Restart { crash: false });
        w.pass(60 * S);
        assert_eq!(w.status(0), (Status::Paused, Some(Cause::Maintenance)));
        w.pass(600 * S);
        assert_eq!(w.status(0).0, Status::Online);
        w.assert_sound();
    }
}

mod causes {
    use super::*;
    use health::LikelyCause;

    const HOUR: crate::sim::Time = 3600 * S;

    /// The incident told of an outage of the first link that begins now and lasts so long.
    fn outage(w: &mut World, hours: u64) -> health::Incident {
        w.act(Act::Link(0, true));
        w.pass(hours * HOUR);
        let told = w.top_level().last().unwrap().clone();
        w.act(Act::Link(0, false));
        w.pass(600 * S);
        told
    }

    #[test]
    fn power_that_goes_at_the_same_hour_each_night_is_borrowed_also_after_a_restart() {
        for restart in [false, true] {
            let mut w = running(County::of(&[3, 2]));
            w.run_to(20 * HOUR);
            for night in 0..4u64 {
                w.run_to((20 + night * 24) * HOUR + night * 300 * S);
                let told = outage(&mut w, 6);
                let expected = if night < 2 { LikelyCause::PowerOrFibre } else { LikelyCause::BorrowedPower };
                assert_eq!((told.scope, told.likely), (link(0), expected), "night {night}");
                if restart {
                    w.act(Act::Restart { crash: true });
                    w.pass(120 * S);
                }
            }
            // At another hour it is as likely as ever.
            w.run_to(114 * HOUR);
            assert_eq!(outage(&mut w, 1).likely, LikelyCause::PowerOrFibre);
            w.assert_sound();
        }
    }

    #[test]
    fn something_else_that_answers_where_video_came_from_is_an_address_given_twice() {
        for delivered in [true, false] {
            let mut w = world(County::of(&[3]));
            if delivered {
                w.run_to(60 * S);
            }
            w.act(Act::Camera(0, Fault::Stranger, true));
            if delivered {
                w.end(0, Cause::ConnectionLost, "reset by peer");
            }
            w.pass(90 * S);
            let told = w.top_level().into_iter().find(|i| i.scope == camera(0)).unwrap();
            let expected = if delivered { LikelyCause::IpConflict } else { LikelyCause::Settings };
            assert_eq!((told.cause, told.likely), (Cause::NotRtsp, expected));
        }
    }
}
