//! Taking all there is: processes, memory, disk, descriptors, time.

use serde_json::json;

use super::super::node::eventually;
use super::Scene;

#[tokio::test]
async fn a_fork_bomb_ends_at_its_own_limit() {
    let scene = Scene::with(2048, 60).await;
    let seen = scene
        .attack(
            "
            count = 0
            try:
                while True:
                    if os.fork() == 0:
                        time.sleep(60)
                        os._exit(0)
                    count += 1
            except OSError as error:
                result = [errno.errorcode[error.errno], 500 < count < 1025]
            ",
        )
        .await;
    assert_eq!(seen, json!(["EAGAIN", true]));
    scene.end().await;
}

#[tokio::test]
async fn a_fork_bomb_that_never_stops_times_out() {
    let scene = Scene::with(512, 5).await;
    let (error_type, _message) = scene
        .fatal_attack(
            "
            while True:
                try:
                    os.fork()
                except OSError:
                    pass
            ",
        )
        .await;
    // whichever of its limits it meets first
    assert!(
        ["Sandbox.Timedout", "Runtime.ExitError"].contains(&error_type.as_str()),
        "{error_type}"
    );
    scene.end().await;
}

#[tokio::test]
async fn a_memory_bomb_is_killed_and_named() {
    let scene = Scene::with(128, 60).await;
    if !scene.holds("memory limit") {
        return scene.end().await;
    }
    let (error_type, message) = scene
        .fatal_attack(
            "
            hoard = []
            while True:
                hoard.append(b'x' * (1 << 20) + bytes([len(hoard) % 256]))
            ",
        )
        .await;
    assert_eq!(error_type, "Runtime.ExitError");
    assert!(
        message.ends_with("Error: Runtime exited with error: signal: killed"),
        "{message}"
    );
    let log = scene.node.messages(&scene.attacker, 1).await;
    assert!(
        log.iter()
            .any(|line| line.contains("Memory Size: 128 MB\tMax Memory Used: 128 MB")),
        "{log:?}"
    );
    // the next invocation has a new instance
    assert_eq!(scene.attack("result = 1").await, 1);
    scene.end().await;
}

#[tokio::test]
async fn a_disk_filler_fills_its_own_tmp_and_finds_no_other_place() {
    let scene = Scene::with(1024, 60).await;
    let seen = scene
        .attack(
            "
            def fill():
                with open('/tmp/fill', 'wb', buffering=0) as file:
                    block = bytes(1 << 20)
                    while True:
                        file.write(block)
            full = attempt(fill)
            size = os.path.getsize('/tmp/fill') >> 20
            os.remove('/tmp/fill')
            places = ['/', '/var/task', '/var/runtime', '/opt', '/usr', '/etc', '/dev', '/proc', '/home']
            elsewhere = {attempt(lambda: open(place + '/file', 'w')) for place in places}
            result = [full, size, sorted(elsewhere & {'allowed'})]
            ",
        )
        .await;
    assert_eq!(seen, json!(["ENOSPC", 512, []]));
    scene.end().await;
}

#[tokio::test]
async fn a_hog_of_descriptors_gets_a_thousand() {
    let scene = Scene::new().await;
    let seen = scene
        .attack(
            "
            hoard = []
            def open_all():
                while True:
                    hoard.append(os.open('/dev/null', os.O_RDONLY))
            full = attempt(open_all)
            result = [full, 1000 < len(hoard) < 1024]
            for descriptor in hoard:
                os.close(descriptor)
            ",
        )
        .await;
    assert_eq!(seen, json!(["EMFILE", true]));
    scene.end().await;
}

/// Processes of the machine with this name.
fn named(name: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("comm")).ok())
        .filter(|comm| comm.trim_end() == name)
        .count()
}

#[tokio::test]
async fn nothing_survives_a_timeout_in_the_background() {
    let scene = Scene::new().await;
    let name = format!("twsv{}", std::process::id());
    let code = format!(
        "
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    for number in range(1, 65):
                        if number not in (9, 19, 32, 33):
                            signal.signal(number, signal.SIG_IGN)
                    open('/proc/self/comm', 'w').write({name:?})
                    while True:
                        time.sleep(60)
            time.sleep(60)
        "
    );
    let attack = scene.fatal_attack(&code);
    let seen = eventually(|| named(&name) == 1);
    let ((error_type, message), ()) = tokio::join!(attack, seen);
    assert_eq!(error_type, "Sandbox.Timedout", "{message}");
    eventually(|| named(&name) == 0).await;
    scene.end().await;
}

#[tokio::test]
async fn killing_everything_kills_itself_alone() {
    let scene = Scene::new().await;
    // the first process of the jail is out of reach, or else deaf to it
    let seen = scene
        .attack("tried = [attempt(lambda: os.kill(1, number)) for number in (9, 15)]; result = os.getppid()")
        .await;
    assert_eq!(seen, 1);
    let (error_type, message) = scene
        .fatal_attack("attempt(lambda: os.kill(-1, 9)); os.kill(os.getpid(), 9)")
        .await;
    assert_eq!(error_type, "Runtime.ExitError");
    assert!(message.ends_with("signal: killed"), "{message}");
    scene.end().await;
}
