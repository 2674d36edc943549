//! A real server, its folders, and what can happen to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{Answer, Process, binary, curl};

/// The workspace's root.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

/// A server in a process of its own, on loopback, with folders of its own.
#[derive(Debug)]
pub struct Server {
    process: Process,
    address: SocketAddr,
    conduct: Conduct,
    flags: PathBuf,
    folder: TempDir,
}

/// How a process is started.
#[derive(Clone, Debug, Default)]
struct Conduct {
    options: Vec<String>,
    /// Variables, and what they are set to.
    variables: Vec<(String, String)>,
    /// How many files it may open; none where that is not its tests' concern.
    files: Option<usize>,
}

impl Server {
    /// Starts one on a document, on a free port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(document: &str) -> Result<Self> {
        Self::with(document, &[])
    }

    /// Starts one on a document, with more options.
    ///
    /// # Errors
    /// When it does not start.
    pub fn with(document: &str, options: &[&str]) -> Result<Self> {
        Self::with_variables(document, options, &[])
    }

    /// Starts one on a document, with more options, and variables of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub fn with_variables(document: &str, options: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        Self::on(document, Conduct::new(options, variables))
    }

    /// Starts one on a document that may open so many files, connections among them.
    ///
    /// # Errors
    /// When it does not start.
    pub fn with_files(document: &str, options: &[&str], files: usize) -> Result<Self> {
        Self::on(document, Conduct { files: Some(files), ..Conduct::new(options, &[]) })
    }

    fn on(document: &str, conduct: Conduct) -> Result<Self> {
        let folder = TempDir::new()?;
        let flags = folder.path().join("flags");
        std::fs::create_dir(&flags)?;
        std::fs::write(flags.join("flags.yaml"), document)?;
        Self::launch(folder, flags, conduct)
    }

    /// Starts one on a copy of a folder of the workspace.
    ///
    /// # Errors
    /// When it does not start.
    pub fn on_copy_of(path: &str, options: &[&str]) -> Result<Self> {
        let folder = TempDir::new()?;
        let flags = folder.path().join("flags");
        std::fs::create_dir(&flags)?;
        for entry in std::fs::read_dir(root().join(path))? {
            let entry = entry?;
            std::fs::copy(entry.path(), flags.join(entry.file_name()))?;
        }
        Self::launch(folder, flags, Conduct::new(options, &[]))
    }

    fn launch(folder: TempDir, flags: PathBuf, conduct: Conduct) -> Result<Self> {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let (process, address) = spawn(folder.path(), &flags, free, &conduct)?;
        Ok(Self { process, address, conduct, flags, folder })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.conduct.options.iter().any(|option| option == "--tls-cert") { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it as `kill -9` does, and starts another at the same address, with the same folders.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.start_again()
    }

    /// Starts another where one has ended.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        let (process, address) = spawn(self.folder.path(), &self.flags, self.address, &self.conduct)?;
        self.process = process;
        self.address = address;
        Ok(())
    }

    /// Starts another where one has ended, and ends it as `kill -9` does, wherever it has come to meanwhile.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn start_and_kill(&self, after: Duration) -> Result<()> {
        let mut process = Process::start("daybreak", &mut self.another(&self.data())?)?;
        std::thread::sleep(after);
        process.kill()
    }

    /// The command that starts another of its kind, on this data folder, at any port.
    ///
    /// # Errors
    /// When the binary does not build.
    pub fn another(&self, data: &Path) -> Result<Command> {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        command(self.folder.path(), &self.flags, data, free, &self.conduct)
    }

    /// Writes a file of its folder of documents, in one step, as editors do.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        let temporary = self.folder.path().join("edited");
        std::fs::write(&temporary, text)?;
        std::fs::rename(&temporary, self.flags.join(file))?;
        Ok(())
    }

    /// GET, by curl.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn get(&self, path: &str) -> Result<Answer> {
        curl(&[self.url(path)])
    }

    /// Another method, by curl, with a body unless it is empty.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn send(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let url = self.url(path);
        let mut arguments = vec!["--request", method, &url];
        if !body.is_empty() {
            arguments.extend(["--data-binary", body]);
        }
        curl(&arguments)
    }

    /// POST, by curl.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn post(&self, path: &str, body: &str) -> Result<Answer> {
        self.send("POST", path, body)
    }

    /// Everything it holds, with where it stands: what must not change where nothing may.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn state(&self) -> Result<(String, String)> {
        let export = self.get("/api/v1/export")?.expect_status(200)?;
        let position = export.header("daybreak-revision").context("every answer has a position")?.to_owned();
        Ok((export.body, position))
    }
}

impl Conduct {
    fn new(options: &[&str], variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { options: options.iter().map(ToString::to_string).collect(), variables, files: None }
    }

    /// The command that runs a binary so.
    fn command(&self, binary: &Path) -> Command {
        let Some(files) = self.files else { return Command::new(binary) };
        // A shell limits itself, and becomes the binary.
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")]).arg(binary);
        command
    }
}

fn command(folder: &Path, flags: &Path, data: &Path, listen: SocketAddr, conduct: &Conduct) -> Result<Command> {
    let mut command = conduct.command(&binary()?);
    command.current_dir(folder).arg("serve").arg("--flags").arg(flags).arg("--data").arg(data);
    let Conduct { options, variables, .. } = conduct;
    command.args(["--listen", &listen.to_string()]).args(options).envs(variables.iter().cloned());
    Ok(command)
}

fn spawn(folder: &Path, flags: &Path, listen: SocketAddr, conduct: &Conduct) -> Result<(Process, SocketAddr)> {
    let process = Process::start("daybreak", &mut command(folder, flags, &folder.join("data"), listen, conduct)?)?;
    let address = process.wait_for(|line| {
        let (_, url) = line.split_once("listening on ")?;
        url.split_whitespace().next()?.split_once("://")?.1.parse().ok()
    })?;
    Ok((process, address))
}
