// What the service says of cameras and of itself in English sentences, in Chinese. The service keeps one form of each
// (logs, exports and programs read it); these are its templates, `{}` standing for a value. What is no sentence of ours
// (the answer of a camera or of a mail server) is shown as it came.
import { cause } from '@/state'
import { language } from './index'

type Pair = readonly [english: string, chinese: string]

const SENTENCES: readonly Pair[] = [
  // the ladder: address, network, port
  ['ping answered in {} ms', 'ping 应答 {} 毫秒'],
  ['ping not answered within {} s', 'ping {} 秒内无应答'],
  ['ping not permitted here ({})', '本机不允许 ping（{}）'],
  ['TCP answered', 'TCP 有应答'],
  ['TCP was refused', 'TCP 被拒绝'],
  ['TCP port {} accepts', 'TCP 端口 {} 可连接'],
  ['{} (the host answers ping)', '{}（主机能 ping 通）'],
  ['{} did not answer within {} s', '{} 在 {} 秒内无应答'],
  ['{} refused the connection', '{} 拒绝连接'],
  ['port 0 cannot be used', '端口 0 不可用'],
  ['the address names no host', '地址中没有主机'],
  ['{}: no answer from DNS in {} s', '{}：DNS 在 {} 秒内无应答'],
  ['{}: no such name', '{}：域名不存在'],
  ['{} is not in a permitted network (ingest.allow_networks)', '{} 不在允许的网段内（ingest.allow_networks）'],
  // TLS
  ['TLS: {}', 'TLS：{}'],
  ['the TLS handshake did not end within {} s', 'TLS 握手在 {} 秒内未完成'],
  ['the camera shows no certificate', '摄像机未出示证书'],
  // RTSP, account
  ['OPTIONS: {}; DESCRIBE: {} ({} ms)', 'OPTIONS：{}；DESCRIBE：{}（{} 毫秒）'],
  ['account accepted by {}', '账号以 {} 方式通过'],
  ['RTSP was answered', 'RTSP 有应答'],
  ['the camera answers too slowly for a check', '摄像机应答过慢，检测未完成'],
  ['answer to CSeq {}, expected {}', '应答序号 CSeq 为 {}，应为 {}'],
  ['the head of the answer does not end within {} bytes', '应答头超过 {} 字节仍未结束'],
  ['closed by the camera after {} bytes of an answer', '摄像机在应答 {} 字节后断开'],
  ['the camera closed the connection', '摄像机断开了连接'],
  ['{} without saying how', '{}，未说明认证方式'],
  ['the camera serves {} at once, and its places are taken by our own sessions', '摄像机同时只允许 {} 个会话，已被本系统的会话占用'],
  ['the camera is not in the register', '摄像机不在档案中'],
  // media
  ['DESCRIBE was answered without a description', 'DESCRIBE 的应答没有媒体描述'],
  ['the description cannot be read: {}', '媒体描述无法解析：{}'],
  ['the camera sends {}', '摄像机发送的编码为 {}'],
  ['the description offers nothing', '媒体描述中没有任何流'],
  ['the description offers {}, and no video that can be read', '媒体描述只提供 {}，没有可用的视频'],
  ['SETUP: {}', 'SETUP：{}'],
  ['PLAY was accepted, but no packet of video came within {} s', 'PLAY 已接受，但 {} 秒内没有视频数据包'],
  ['by UDP no packet of video came within {} s', 'UDP 方式 {} 秒内没有视频数据包'],
  // flow
  ['no packet for {} s', '{} 秒没有数据包'],
  ['no packet while a keyframe was awaited', '等待关键帧期间没有数据包'],
  ['no keyframe for {} s while packets arrive', '有数据包，但 {} 秒没有关键帧'],
  ['packets arrive, but no keyframe for {} s', '有数据包，但 {} 秒没有关键帧'],
  ['{} packets, but no whole keyframe in {} s', '收到 {} 个数据包，{} 秒内没有完整的关键帧'],
  ['{} keyframes were not whole: {}', '{} 个关键帧不完整：{}'],
  ['no keyframe began and ended within {} s', '{} 秒内没有一个完整的关键帧'],
  ['{} keyframes came within {} s, none of them whole', '{} 秒内有 {} 个关键帧，均不完整'],
  ['no picture within {} s', '{} 秒内没有画面'],
  ['a packet is {}', '数据包有误：{}'],
  ['a packet on channel {}, which nobody set up: an older session may still run', '通道 {} 未经建立却有数据包：可能仍有旧会话在运行'],
  ['the session was closed', '会话已关闭'],
  ['the session ended', '会话已结束'],
  ['no session of {} runs', '{} 没有正在运行的会话'],
  ['the picture was taken', '已取得画面'],
  ['our session gave no answer within 60 s', '本系统的会话 60 秒没有结果'],
  ['{} lost of {} packets ({} %)', '{1} 个数据包中丢失 {0} 个（{2}%）'],
  ['waits: the uplink\'s budget of {} kbit/s is in use by its other cameras', '排队等待：链路带宽额度 {} kbit/s 正被同链路的其他摄像机使用'],
  // decode, picture
  ['picture decoded, {}x{} at {} fps', '画面已解码，{}×{}，{} 帧/秒'],
  ['picture decoded', '画面已解码'],
  ['the keyframe does not decode: {}', '关键帧无法解码：{}'],
  ['the decoder process died on this keyframe: {}', '解码进程因该关键帧退出：{}'],
  ['the keyframe was not decoded within the time limit', '关键帧未在时限内解码完成'],
  ['not decoded for another {} s: its pictures killed the decoder', '该摄像机的画面曾使解码进程退出，{} 秒内暂不解码'],
  ['too many pictures are waiting for a decoder', '等待解码的画面过多'],
  ['our decoder does not work: {}', '本机解码不可用：{}'],
  ['pictures cannot be judged at present', '目前无法判断画面'],
  ['no verdict on a picture within 30 s', '30 秒内没有画面诊断结果'],
  ['mean luma {} (limit {})', '平均亮度 {}（门限 {}）'],
  ['mean luma {} (limit {}), {} % nearly white', '平均亮度 {}（门限 {}），{}% 接近全白'],
  ['95 % of the picture is below luma {}, without structure (limit {})', '95% 的画面亮度低于 {} 且没有纹理（门限 {}）'],
  ['the whole picture has one colour, luma {}: no signal', '整幅画面为同一颜色，亮度 {}：无信号'],
  ['sharpness for its contrast {} (limit {}, usually {})', '相对对比度的清晰度 {}（门限 {}，平时 {}）'],
  ['sharpness for its contrast {} (limit {})', '相对对比度的清晰度 {}（门限 {}）'],
  ['colours shifted to {} by {} (limit {})', '色彩偏{}，偏移 {}（门限 {}）'],
  ['noise of {} luma steps (limit {}, usually {})', '噪声 {} 级亮度（门限 {}，平时 {}）'],
  ['noise of {} luma steps (limit {})', '噪声 {} 级亮度（门限 {}）'],
  ['fine detail outweighs the scene {} times (limit {})', '细碎噪点为场景细节的 {} 倍（门限 {}）'],
  ['{} stripes of {} luma steps (limit {})', '{}条纹，{} 级亮度（门限 {}）'],
  ['edges agree with the usual scene by {} % (limit {} %)', '轮廓与平时场景吻合 {}%（门限 {}%）'],
  ['edges agree with the usual scene by {} %, by {} % if it is shifted by {} % of the width and {} % of the height', '轮廓与平时场景吻合 {}%，若横移画面宽度的 {2}%、纵移高度的 {3}% 则吻合 {1}%'],
  ['{} pictures over {} s are {}', '{1} 秒内 {0} 幅画面{2}'],
  ['identical in every bit', '逐位相同'],
  ['identical but for the strip with the clock', '除时钟所在区域外完全相同'],
  ['the same picture as camera {}', '与摄像机 {} 画面相同'],
  ['red or orange', '红或橙'],
  ['magenta', '品红'],
  ['blue', '蓝'],
  ['green', '绿'],
  ['horizontal', '水平'],
  ['vertical', '垂直'],
  // clock
  ['camera clock {} s from ours', '摄像机时钟与本机相差 {} 秒'],
  ['the sender reports tell no date', '发送端报告中没有有效日期'],
  // ourselves
  ['this machine was suspended for {}', '本机曾休眠 {}'],
  ['the wall clock was set {} by {}', '系统时钟被{} {}'],
  ['forward', '拨快'],
  ['back', '拨慢'],
  ['the threads that read streams get too little processor time', '取流线程得不到足够的处理器时间'],
  ['no network card has a route', '没有可用路由的网卡'],
  ['no link on {}', '网卡 {} 无连接'],
  ['the archive\'s disk is full', '存档磁盘已满'],
  ['no decoder process runs', '没有解码进程在运行'],
  ['archive: {}', '存档：{}'],
  ['the database was away for too long: what happened meanwhile is not on record', '数据库中断过久，其间发生的情况未能记录'],
  ['taken out of the register', '已从档案中停用'],
  ['no time server keeps this machine\'s clock (the kernel calls it unsynchronised); check chrony, ntpd or systemd-timesyncd, or set node.clock_is_kept', '没有时间服务器校准本机时钟（内核报告未同步）；请检查 chrony、ntpd 或 systemd-timesyncd，或设置 node.clock_is_kept'],
  // the sandbox
  ['no rights can be gained', '不能提升权限'],
  ['none left', '已全部放弃'],
  ['no files, no TCP ports, no signals', '不能访问文件、TCP 端口，不能发送信号'],
  ['no files; this kernel\'s landlock knows no more', '不能访问文件（此内核的 landlock 仅支持到此）'],
  ['this kernel has no landlock, or it is switched off', '此内核没有 landlock，或未启用'],
  ['only memory, time and the two pipes', '只能使用内存、时间和两个管道'],
  ['{} MiB beyond the program, {} s of CPU time', '程序之外最多 {} MiB 内存，{} 秒处理器时间'],
  ['the process has {} threads', '进程有 {} 个线程'],
  // certificates
  ['cannot read {}: {}; name a PEM file this service\'s user may read', '无法读取 {}：{}；请指定本服务用户可读的 PEM 文件'],
  ['there is no certificate in {}; expected PEM, "-----BEGIN …-----"', '{} 中没有证书；应为 PEM 格式'],
  ['there is no private key in {}; expected PEM, "-----BEGIN …-----"', '{} 中没有私钥；应为 PEM 格式'],
  ['the certificate in {} and its key cannot be used: {}', '{} 中的证书与私钥不能使用：{}'],
  ['no certificate can be made in {}: {}', '无法在 {} 中生成证书：{}'],
  // messages and mails
  ['the name of the server does not resolve', '服务器域名无法解析'],
  ['no answer within {} s', '{} 秒内无应答'],
  ['no answer in time', '未按时应答'],
  ['the connection failed', '连接失败'],
  ['Connection error: {}', '连接失败：{}'],
  ['Connection refused (os error {})', '连接被拒绝'],
  ['the server refused: {}', '服务器拒绝：{}'],
  ['the server cannot take it now: {}', '服务器暂时无法接收：{}'],
  ['{} is not taken: {}', '{} 未被接收：{}'],
  ['permanent error ({}): {}', '拒收（{}）：{}'],
  ['transient error ({}): {}', '暂时拒收（{}）：{}'],
  ['no mail server is given', '未指定邮件服务器'],
  ['the mail cannot be written', '邮件无法生成'],
  ['a mail address cannot be used', '邮件地址不可用'],
  ['this machine\'s certificates cannot be read', '无法读取本机的证书'],
  ['the files are larger than 15 MiB together; choose a smaller part or coarser lines', '附件合计超过 15 MiB，请缩小范围或改用更粗的分组'],
  ['the channel whose mail server sends it is gone; choose another', '所用的邮件通道已不存在，请另选一个'],
  ['the service was stopped during the try', '发送过程中服务被停止'],
  ['the service ended twice while it was sent; it may have arrived', '发送过程中服务两次中断，消息可能已送达'],
  ['the message or its channel cannot be read', '消息或其通道无法读取'],
  ['the address cannot be read', '地址无法解析'],
  ['the address names no server', '地址中没有服务器'],
  ['the answer is not a robot\'s; is the address right?', '应答不是机器人接口的格式，请核对地址'],
  ['status {}: redirects are not followed; give the final address', '状态 {}：不跟随跳转，请填写最终地址'],
  ['status {}: {}', '状态 {}：{}'],
  ['status {}', '状态 {}'],
  ['code {}: {}', '错误码 {}：{}'],
  // what was entered
  ['there is nothing here', '此处没有内容'],
  ['limit: expected 1 to 1000', 'limit 应为 1 至 1000'],
  ['name: expected 1 to 60 characters on one line', '名称应为一行 1 至 60 个字符'],
  ['name: expected 1 to 100 characters on one line', '名称应为一行 1 至 100 个字符'],
  ['name: expected 1 to 64 letters, digits, dots, hyphens or underscores', '用户名应为 1 至 64 个字母、数字、点、连字符或下划线'],
  ['full_name, unit: expected at most 100 characters on one line', '姓名、单位最多一行 100 个字符'],
  ['expires: an account of a technician ends after a year at the latest', '维护员账号的有效期最长一年'],
  ['towns, sites: an administrator sees the whole county; leave both empty', '管理员管辖全县，乡镇和点位应留空'],
  ['towns, sites: at most 1000 together', '乡镇和点位合计最多 1000 个'],
  ['towns, sites: expected those of the register', '乡镇、点位应为档案中已有的'],
  ['town, site: expected those of the register', '乡镇、点位应为档案中已有的'],
  ['towns: there is no town {}', '没有编号为 {} 的乡镇'],
  ['sites: there is no site {}', '没有编号为 {} 的点位'],
  ['town: there is no such town', '没有这个乡镇'],
  ['technicians, contractors: at most 100 together', '维护员和维护单位合计最多 100 个'],
  ['note: expected at most 1000 characters', '说明最多 1000 个字符'],
  ['reason: expected 1 to 200 characters on one line', '事由应为一行 1 至 200 个字符'],
  ['target: expected where messages go', '请填写消息发往何处'],
  ['target: expected the kind (webhook, email, dingtalk, wecom, feishu, alertmanager) and its settings', '发送目标的类型或设置不正确'],
  ['host, port: expected the mail server\'s name or address and its port', '请填写邮件服务器的域名或地址及端口'],
  ['to: expected 1 to 50 readers', '收件人应为 1 至 50 个'],
  ['to: expected at most 50 mail addresses such as chief@example.org', '收件人最多 50 个，应为邮件地址，如 chief@example.org'],
  ['from, to: expected mail addresses such as duty@example.org', '发件人、收件人应为邮件地址，如 duty@example.org'],
  ['user, password: expected both or neither', '账号与密码应同时填写或都不填'],
  ['secret: expected at least 16 characters to sign with', '签名密钥至少 16 个字符'],
  ['url: expected an http or https address without a user name in it', '地址应以 http 或 https 开头，且不含用户名'],
  ['weekday, day, minute: expected 1 to 7, 1 to 28, 0 to 1439', '星期、日期或时刻不正确'],
  ['channel: expected one of e-mail', '请选择邮件类通知通道'],
  ['contractor: expected at most 200 characters on one line', '维护单位最多一行 200 个字符'],
  ['budget_kbps: expected a whole number of kbit/s above 0, or null', '带宽额度应为大于 0 的整数（kbit/s），或留空'],
  ['{}: expected at most 100 characters on one line', '{} 最多一行 100 个字符'],
  ['from, until: expected a range that ends after it begins, of at most two years', '结束时间应晚于开始时间，且时段不超过两年'],
  ['main_url: {}', '主码流地址：{}'],
  ['not an address; expected rtsp://HOST[:PORT]/PATH', '不是有效地址，应形如 rtsp://主机[:端口]/路径'],
  ['only rtsp:// and rtsps:// addresses can be used', '只能使用 rtsp:// 或 rtsps:// 地址'],
  ['the address names no host; expected rtsp://HOST[:PORT]/PATH', '地址中没有主机，应形如 rtsp://主机[:端口]/路径'],
  ['the address is longer than 2000 characters', '地址超过 2000 个字符'],
  ['other cameras are being checked; try again in a moment', '正在检测其他摄像机，请稍后再试'],
  ['this camera is being checked already', '该摄像机正在检测中'],
  ['another report is being sent as a try-out', '另一份报表正在试发'],
  // files that are imported
  ['the file is larger than 16 MiB; split it', '文件超过 16 MiB，请拆分'],
  ['the file has more than 100000 rows; split it', '文件超过 100000 行，请拆分'],
  ['the file is no text in UTF-8 or GBK; save the table as CSV', '文件不是 UTF-8 或 GBK 文本，请另存为 CSV'],
  ['the file is empty; the first row must name the columns', '文件为空；第一行应为列名'],
  ['line 1 names no column {}; the columns are explained in config/demo/README.md', '第 1 行缺少列 {}；各列说明见 config/demo/README.md'],
  ['line 1 names the column {} twice', '第 1 行的列 {} 重复'],
  ['line {}: {}', '第 {} 行：{}'],
  ['the file is no XLSX workbook; save the table as XLSX or CSV', '文件不是 XLSX 工作簿，请另存为 XLSX 或 CSV'],
  ['the first sheet of the workbook is empty; its first row must name the columns', '工作簿的第一个工作表为空；第一行应为列名'],
  ['the first sheet has more than 100000 rows, 200 columns or 16 MiB of text; split it', '第一个工作表超过 100000 行、200 列或 16 MiB 文本，请拆分'],
  ['a value of its own; {} has the same', '不与他人重复的值；{} 已使用该值'],
  ['{} was not answered within {} s ({} bytes came)', '{} 在 {} 秒内无应答（收到 {} 字节）'],
  ['{}: this machine has no file descriptor left', '{}：本机的文件描述符已用尽'],
  ['the answer begins with "{}"', '应答以“{}”开头'],
  ['no pair of UDP ports: {}', '没有可用的 UDP 端口对：{}'],
  ['too many wait for this camera\'s keyframe', '等待该摄像机关键帧的请求过多'],
  ['{} is not in a permitted network', '{} 不在允许的网段内'],
  ['{} fps, {} kbit/s, {} of {} packets lost, {} instead of {} ({})', '{} 帧/秒，{} kbit/s，{3} 个数据包中丢失 {2} 个，以 {4} 代替 {5}（{6}）'],
  ['{} fps, {} kbit/s, {} of {} packets lost, {}', '{} 帧/秒，{} kbit/s，{3} 个数据包中丢失 {2} 个，{4}'],
  ['{} fps, {} kbit/s, {} of {} packets lost', '{} 帧/秒，{} kbit/s，{3} 个数据包中丢失 {2} 个'],
  ['{} % of the usual scene is not to be seen (limit {} %), mean luma there {}', '平时场景的 {}% 看不到（门限 {}%），该处平均亮度 {}'],
  ['{} % of the picture is made of blocks that do not fit (limit {} %)', '画面的 {}% 为错乱的方块（门限 {}%）'],
  ['cannot start the decoder process {}: {}', '无法启动解码进程 {}：{}'],
  ['the decoder process does not get ready: {}', '解码进程未能就绪：{}'],
  ['the address names no port', '地址中没有端口'],
  ['too many dashboards are open', '打开的页面过多'],
  ['too many live views are open; close some and try again', '打开的实时画面过多，请关闭一些再试'],
  ['too many sign-ins at once; try again in a moment', '同时登录的人过多，请稍后再试'],
  ['the archive is busy; try again', '存档繁忙，请重试'],
  ['the decoders are busy; try again', '解码繁忙，请重试'],
  ['the node does not take commands now; try again', '服务目前不接受指令，请重试'],
  ['done, but not stored yet: the database does not answer; it is tried again', '已执行，但数据库未应答，尚未保存，会自动重试'],
  ['this took too long and was given up', '耗时过长，已放弃'],
  ['cursor: not one of ours', 'cursor 不是本服务给出的'],
  ['until: expected a time within the next year', '结束时间应在一年以内'],
  ['until: expected a time to come', '结束时间应晚于现在'],
  ['from: expected a time before until', '开始时间应早于结束时间'],
  ['from: expected an instant within the last 48 hours', '开始时间应在最近 48 小时以内'],
  ['from, until: expected a range of at most 400 days', '时段最多 400 天'],
  ['from, until: not a time', '开始或结束时间不正确'],
  ['expires: expected a time within the next two years', '到期时间应在两年以内'],
  ['date: expected a day such as 2026-01-31, from 1971 on', '日期应形如 2026-01-31，不早于 1971 年'],
  ['period: a range is given by from and until', '自选时段应给出开始和结束时间'],
  ['expected period and date, or from and until', '应给出报表类型和日期，或开始和结束时间'],
  ['format: expected csv or xlsx', '格式应为 csv 或 xlsx'],
  ['target: expected a kind, and an id unless it is all', '对象应给出类型，非全部时还应给出编号'],
  ['scope: expected a kind of place and its id', '范围应给出类型和编号'],
  ['fault: not one that can be caused', '没有这种可模拟的故障'],
  ['classes: {} is named twice', '类别 {} 重复'],
  ['classes: the limit of {} must be {} to {}', '类别 {} 的门限应为 {} 至 {}'],
  ['classes: {} is no class with a setting of that kind', '类别 {} 没有这种设置'],
  ['document: expected the number of the approval document, 1 to 200 characters', '请填写审批文号，1 至 200 个字符'],
  ['document: expected 1 to 200 characters', '文号应为 1 至 200 个字符'],
  ['expected one of: snapshots, incident, or a place with from and until', '应指定快照、事件，或地点及起止时间之一'],
  ['snapshots: at most {} at once', '一次最多 {} 张快照'],
  ['a range needs both from and until', '时段应同时给出开始和结束时间'],
  ['a range needs a camera, a site or a town', '时段应指定摄像机、点位或乡镇'],
  ['kind: expected legal or audit', '类型应为法律保全或审计保全'],
  ['Range: expected one, such as bytes=0-16383', '应给出一个 Range，如 bytes=0-16383'],
  ['X-Reason: expected UTF-8 text, percent-encoded', 'X-Reason 应为百分号编码的 UTF-8 文本'],
  ['{}: expected with this act', '此操作应填写 {}'],
  ['technician: expected an active technician', '请选择在用的维护员账号'],
  ['contractor: expected the unit of an active technician, so that somebody sees the order', '请选择有在用维护员账号的单位，以便有人看到工单'],
  ['technician, contractor: expected one of both', '维护员和维护单位应选其一'],
  ['camera: expected one of the order\'s cameras', '摄像机应为工单所含的'],
  ['seen: not an archived snapshot of this camera', '所选不是该摄像机的存档快照'],
  ['cause: expected a fault of the picture', '原因应为画面故障'],
  ['cells: expected the English names of the import\'s columns', '列名应为导入表的英文列名'],
  ['cells: expected what to change', '没有要修改的内容'],
  ['If-Match: expected with one camera only', 'If-Match 只能用于一路摄像机'],
  ['cameras: each may be named once', '摄像机不能重复'],
  ['cameras: expected 1 to 2000', '摄像机应为 1 至 2000 路'],
  ['{}: not one of its words', '{} 不在可选范围内'],
  ['name: expected 1 to 64 characters on one line', '名称应为一行 1 至 64 个字符'],
  ['the picture cannot be read; expected an intact JPEG or PNG', '图片无法读取，应为完好的 JPEG 或 PNG'],
  // what a column expects
  ['at most 4000 characters', '最多 4000 个字符'],
  ['no control characters or line breaks', '不能含控制字符或换行'],
  ['a value; it must not be empty', '不能为空'],
  ['degrees east, -180 to 180, WGS-84', '东经度数，-180 至 180，WGS-84'],
  ['degrees north, -90 to 90, WGS-84', '北纬度数，-90 至 90，WGS-84'],
  ['village 建制村 or central_area 中心区域', 'village 建制村，或 central_area 中心区域'],
  ['in_use 在用, repair 维修, out_of_use 停用 or dismantled 拆除', 'in_use 在用、repair 维修、out_of_use 停用或 dismantled 拆除'],
  ['tcp or udp', 'tcp 或 udp'],
  ['how many sessions the camera serves at once, 1 to 100', '摄像机同时允许的会话数，1 至 100'],
  ['a whole number of kbit/s', '整数，单位 kbit/s'],
  ['a value of its own; camera {} of this site has the same', '不重复的值；本点位的摄像机 {} 已使用该值'],
  ['line {}', '第 {} 行'],
  ['camera {}', '摄像机 {}'],
]

interface Form {
  pattern: RegExp
  chinese: string
}
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const forms = (): Form[] => {
  const made = SENTENCES.map(([english, chinese]) => ({ pattern: new RegExp(`^${english.split('{}').map(escaped).join('([^]+?)')}$`), chinese, fixed: english.replaceAll('{}', '').length }))
  // Of two that fit, the one that says more itself.
  return made.sort((a, b) => b.fixed - a.fixed)
}
let known: Form[] | null = null

function one(text: string, depth: number): string {
  known ??= forms()
  for (const { pattern, chinese } of known) {
    const values = pattern.exec(text)?.slice(1)
    if (!values) continue
    const shown = values.map((value) => (depth < 3 ? clauses(value, depth + 1) : value))
    let next = 0
    return chinese.replace(/\{(\d*)\}/g, (_, n: string) => shown[n === '' ? next++ : Number(n)] ?? '')
  }
  return text
}

function clauses(text: string, depth: number): string {
  const whole = one(text, depth)
  if (whole !== text || !text.includes('; ')) return whole
  return text
    .split('; ')
    .map((part) => {
      const [, joint, rest] = /^(then|before:) ([^]+)$/.exec(part) ?? []
      if (!joint || !rest) return one(part, depth)
      if (joint === 'then') return `随后${one(rest, depth)}`
      // A failure before this one: the code of its cause, and what it rested on.
      const [, code, detail] = /^([a-z_]+) \(([^]+)\)$/.exec(rest) ?? []
      return `此前：${code && detail ? `${cause(code)}（${one(detail, depth)}）` : one(rest, depth)}`
    })
    .join('；')
}

/** A sentence of the service in the page's language. */
export function said(text: string): string {
  return language.value === 'en' || text === '' ? text : clauses(text, 0)
}

/** For the tests: both forms of every sentence. */
export const ALL_SENTENCES = SENTENCES
