//! Looking where one has no business: other functions, the node, the machine, the network.

use serde_json::json;

use super::Scene;

#[tokio::test]
async fn proc_shows_the_jails_own_processes_and_hides_the_first() {
    let scene = Scene::new().await;
    let seen = scene
        .attack(
            "
            first = ['environ', 'mem', 'maps', 'cwd', 'root', 'fd', 'exe']
            def read(name):
                path = '/proc/1/' + name
                if os.path.islink(path):
                    return os.readlink(path)
                return os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read()
            result = {
                'pids': sorted(int(name) for name in os.listdir('/proc') if name.isdigit()),
                'first': sorted({attempt(lambda: read(name)) for name in first}),
                'keys': open('/proc/keys').read() if os.path.exists('/proc/keys') else '',
                'kcore': attempt(lambda: open('/proc/kcore', 'rb').read(1)) == 'allowed'
                    and open('/proc/kcore', 'rb').read(1) != b'',
                'sysctl': attempt(lambda: open('/proc/sys/kernel/core_pattern', 'w')),
                'sysrq': attempt(lambda: open('/proc/sysrq-trigger', 'w').write('x') and ''),
            }
            ",
        )
        .await;
    assert_eq!(seen["pids"], json!([1, 2]));
    assert_eq!(seen["first"], json!(["EACCES"]));
    assert_eq!((&seen["keys"], &seen["kcore"]), (&json!(""), &json!(false)));
    assert_ne!(seen["sysctl"], "allowed");
    scene.end().await;
}

#[tokio::test]
async fn the_environment_holds_nothing_of_the_node_or_of_others() {
    let scene = Scene::new().await;
    let seen = scene
        .attack(
            "
            own = open('/proc/self/environ').read()
            result = [name for name in ('SECRET', 'CARGO', 'HOME', 'USER', 'TRADEWIND_SANDBOX') if name + '=' in own]
            ",
        )
        .await;
    assert_eq!(seen, json!([]));
    scene.end().await;
}

#[tokio::test]
async fn other_functions_code_and_tmp_and_the_nodes_files_are_not_there() {
    let scene = Scene::new().await;
    let data = scene.node.dir.path().to_str().unwrap().to_owned();
    let code = format!(
        "
            found = []
            for folder, folders, files in os.walk('/'):
                if folder == '/':
                    folders[:] = [name for name in folders if name not in ('proc', 'usr', 'nix', 'dev', 'root')]
                for name in files:
                    path = os.path.join(folder, name)
                    try:
                        content = open(path, 'rb').read(1 << 16)
                    except OSError:
                        continue
                    if b'of the neighbour' in content or b'SQLite format' in content:
                        found.append(path)
            absent = [{data:?}, '/etc/shadow', '/etc/gshadow', '/root/.ssh', '/var/lib', '/var/log', '/boot']
            result = [found, [path for path in absent if os.path.exists(path)], os.listdir('/root')]
        "
    );
    let seen = scene.attack(&code).await;
    assert_eq!((&seen[0], &seen[1]), (&json!([]), &json!([])));
    // the node's interpreters may be below /root; nothing else of it is
    assert!(
        seen[2].as_array().unwrap().iter().all(|name| name == ".pyenv"),
        "{seen}"
    );
    scene.end().await;
}

#[tokio::test]
async fn the_nodes_ports_and_other_instances_are_out_of_reach() {
    let scene = Scene::new().await;
    if !scene.holds("network") {
        return scene.end().await;
    }
    let port = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let number = port.local_addr().unwrap().port();
    let abstract_name = format!("twhost{}", std::process::id());
    let code = format!(
        "
            def reach(family, address):
                with socket.socket(family, socket.SOCK_STREAM) as client:
                    client.settimeout(1)
                    client.connect(address)
            addresses = ['127.0.0.1', '0.0.0.0', '169.254.169.254', '10.0.0.1', '172.17.0.1', '192.168.0.1']
            result = sorted({{attempt(lambda: reach(socket.AF_INET, (address, {number}))) for address in addresses}}
                | {{attempt(lambda: reach(socket.AF_UNIX, chr(0) + {abstract_name:?}))}})
        "
    );
    let seen = scene.attack(&code).await;
    let seen = seen.as_array().unwrap();
    assert!(!seen.contains(&json!("allowed")), "{seen:?}");
    scene.end().await;
}
