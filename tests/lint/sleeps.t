#!/usr/bin/env bash
# No test sleeps to let time pass: the clocks of unit tests are moved (base/loop_advance.h), and
# system tests wait for an event (wait_event(), until()).  Where neither can be, the function that
# sleeps stands in the list below, with the reason.  To wait for less than a second is to sleep, too.
. tests/lint/tap.sh

# FILE: FUNCTION: REASON
cat > "$scratch/allowed" <<'END'
tests/attack/attackers.py: flood: attackers keep to a rate
tests/attack/flood.c: sleep_until: attackers keep to a rate
tests/attack/strangers.t: flooded: what is refused within three seconds is measured
tests/attack/strangers.t: cpu_per_connection: what a second costs is measured
tests/attack/strangers.t: most_descriptors: what piles up within two seconds is measured
tests/attack/victims.py: bulk: a line has its speed
tests/attack/strangers.t: slow_echo: the upstream has to be slow
tests/base/connector_race_test.c: connect_now: no event tells the test that a connection is made or refused
tests/base/log_writer_test.c: a_disk_that_is_full_for_a_while_costs_no_line: no event tells that a write has failed
tests/base/log_writer_test.c: lines_that_come_close_upon_each_other_are_written_together: a writer that is woken must have time to write
tests/base/log_writer_test.c: log_now_and_then: the second of the writer is a real one, and so is its load
tests/base/log_writer_test.c: losses_are_told_once_a_second: the reader of the pipe has to be slow
tests/base/loop_test.c: stop_from_outside: no event tells another thread that the loop waits
tests/base/resolver_slow_test.c: has_left_the_list: only the kernel knows that a thread is out of its list
tests/base/resolver_slow_test.c: wait_until_all_have_ended: only the kernel knows that a detached thread has ended
tests/faults/10-relays.t: a_link_that_was_black_for_a_minute_serves_soon_after: the minute itself is what is tested
tests/faults/10-relays.t: a_name_of_two_relays_leads_to_one_of_them_and_stays_there: an answer is kept by the clock of the machine
tests/faults/10-relays.t: agents_whose_nat_forgets_have_a_new_session_within_six_seconds: the pings of agents fall apart by their own clocks
tests/faults/10-relays.t: two_hundred_agents_are_back_within_five_seconds_of_their_relay_s_return_each_time: the relay is away for a second
tests/faults/20-known.t: a_relay_that_stood_still_tells_nobody_that_a_name_is_unknown: the standstill is the fault
tests/faults/20-known.t: a_relay_that_was_killed_knows_its_names_again: it is away for a second, and clients come at a rate
tests/faults/22-disks-and-ports.t: a_disk_of_the_state_that_is_full_is_told_once_and_written_when_it_has_room: it may not be told twice meanwhile
tests/faults/22-disks-and-ports.t: an_agent_whose_state_is_on_a_full_disk_obeys_crls_and_keeps_them_later: it may not be told again and again
tests/faults/22-disks-and-ports.t: seconds_of_three: what three seconds cost is measured
tests/faults/40-exhaustion.t: the_system_takes_descriptors_back: nothing may be said again meanwhile
tests/faults/41-memory.t: settled: what is given back within a minute is measured
tests/faults/30-suspicion.t: a_nat_that_forgets_everything_costs_an_agent_a_client_at_most: clients come one after the other, at a rate
tests/faults/70-proxies.t: _come: clients come one after the other, at a rate
tests/faults/70-proxies.t: a_proxy_ends_everything_each_minute: the minute itself is what is tested
tests/faults/70-proxies.t: a_proxy_that_dies_comes_back: it is away for a second
tests/faults/70-proxies.t: a_proxy_that_stalls_goes_on: the silence itself is what is tested
tests/system/11-hostile.t: channels_do_not_take_the_places_of_clients_hellos: nobody may be refused meanwhile
tests/system/11-hostile.t: running_out_of_descriptors_pauses_and_passes: what a second costs is measured
tests/system/12-sealed.t: any_cutting_of_the_hello_is_the_same_hello: the kernel joins segments that are sent at once
tests/system/16-names.t: a_host_that_moves_is_found_at_once: the resolver looks a name up once a second at most
tests/system/17-shares.t: hellos_in_progress_are_shared: nobody may be refused meanwhile
tests/system/17-shares.t: may_talk_on: a reset that answers a write must have time to come
tests/system/18-rates.t: the_heaviest_clients_lose_their_flows_first: the bucket fills by the clock of the machine
tests/system/21-mutual.t: refuses_other_roles_other_cas_and_the_expired: a certificate ends by the clock of the machine
tests/system/22-agents.t: an_agent_whose_two_urls_lead_to_one_relay_says_so_and_rests: nothing may happen meanwhile
tests/system/22-agents.t: an_expired_agent_is_refused: a certificate ends by the clock of the machine
tests/system/22-agents.t: cloned_instances_do_not_evict_each_other: nobody may be evicted meanwhile
tests/system/23-revocation.t: a_flow_outlives_the_ends_of_certificates_but_no_revocation: nothing may happen meanwhile
tests/system/23-revocation.t: keep_coming: clients come one after the other, at a rate
tests/system/23-revocation.t: a_serial_that_the_crl_drops_stays_revoked: nothing may happen although files are looked at meanwhile
tests/system/27-stalled.t: a_reload_sets_or_takes_off_the_bound: nothing may end meanwhile
tests/system/27-stalled.t: when_memory_is_short_the_heaviest_blocks_readers_go: nobody else may go meanwhile
tests/system/27-stalled.t: a_reader_that_pauses_gets_all_of_it_through_tls: the pause itself is what is tested
tests/system/30-life.t: a_client_that_is_routed_elsewhere_in_the_drain_is_served: the relay may not stop meanwhile
tests/system/30-life.t: a_second_signal_may_come_at_any_moment: each turn takes another moment
tests/system/35-memory.t: settled_fds: no event tells that the last descriptor is closed
tests/system/40-oneshot.t: our_own_expired_certificate_is_a_fact: a certificate ends by the clock of the machine
tests/system/50-secrets.t: spoken: a stream of secrets needs no whole core
tests/system/lib/process.py: stop: two signals at once are one signal to the kernel
tests/system/lib/tap.py: until: it looks again and again, so that nobody else has to
tests/system/pki-20-life.t: a_crl_below_a_third_of_its_life_is_warned_of_by_every_command: a CRL ends by the clock of the machine
tests/system/pki-20-life.t: an_entry_leaves_the_crl_only_after_one_crl_behind_its_end: a certificate ends by the clock of the machine
tests/system/pki-20-life.t: check_tells_fine_soon_and_expired: CRLs and certificates end by the clock of the machine
tests/system/pki-20-life.t: list_tells_states_and_chooses: a certificate ends by the clock of the machine
tests/system/pki-20-life.t: one_that_has_ended_can_still_be_revoked: a certificate ends by the clock of the machine
tests/system/pki-50-crash.t: kill_often: each turn dies at another moment
tests/system/pki-50-crash.t: what_was_revoked_stays_revoked_whoever_dies: each turn dies at another moment
tests/system/lib/costs.py: _held: the end of the first one must be through before the others are measured
tests/system/lib/costs.py: _still: no event tells that memory has come to rest
tests/system/pki-90-serve.t: talk: attackers keep to a rate
tests/tunnel/peer.h: let_the_kernel_work: no event tells that TCP has come to rest
tests/tunnel/pump_test.c: a_peer_may_pause_for_as_long_as_it_likes: what a kernel answers goes by its own clock
tests/tunnel/pump_test.c: an_alert_in_a_joined_flow_can_be_read: the client must go on sending while the pump lingers
tests/year/year.t: step: real timers have to run between two steps of the clock
END
# What sleeps, as FILE: FUNCTION.
sleeping()
{
	grep -rlE '\b(u|nano)?sleep\(|\.wait\(0?\.[0-9]' tests --include='*.[cht]' --include='*.py' | grep -v /lint/ |
	while read -r file; do
		awk -v file="$file" '
			/^[a-z_][a-z_0-9]*\(/ { sub(/\(.*/, "", $0); function_name = $0 }
			match($0, /^[\t ]*def [a-z_0-9]+/) { function_name = $0; sub(/^[\t ]*def /, "", function_name); sub(/\(.*/, "", function_name) }
			/(^|[^a-z_])(u|nano)?sleep\(|\.wait\(0?\.[0-9]/ { print file ": " function_name }' "$file"
	done | sort -u
}

sleeping > "$scratch/sleeping"
sed -nE 's/^([^:]*: [^:]*): .+$/\1/p' "$scratch/allowed" | sort -u > "$scratch/known"
comm -23 "$scratch/sleeping" "$scratch/known" | sed 's/$/: sleeps; move the clock or wait for an event, else give the reason in the list of this test/' > "$scratch/wrong"
nothing "no test sleeps to let time pass"
comm -13 "$scratch/sleeping" "$scratch/known" | sed 's/$/: does not sleep any more; take it off the list/' > "$scratch/wrong"
nothing "whoever may sleep does"
done_testing
