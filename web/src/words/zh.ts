import type { Words } from './en';
import type { Formats } from './formats';

const MEANINGS: Record<string, string> = {
  closed: '服务器关闭了连接。',
  conflict: '已被占用。',
  forbidden: '这里不允许这样做。',
  invalid: '服务器不接受这个内容。',
  too_large: '内容太大。',
  unauthenticated: '你还没有登录。',
};

/** Simplified characters. */
export function zh({ number, atMost99, list }: Formats): Words {
  const some = (names: readonly string[]) =>
    names.length <= 4 ? list(names) : `${names.slice(0, 3).join('、')}等 ${number(names.length)} 人`;
  const count = (unread: number) => `${atMost99(unread)} 条新消息`;
  const roomRule = '只能用英文字母、数字和 . _ : - | @，并以字母或数字开头。';

  return {
    entry: {
      title: '欢迎',
      ask: '取一个别人会看到的名字。',
      name: '你的名字',
      enter: '开始聊天',
      connecting: '正在连接…',
      refused: '你现在还不能进来',
      taken: (name) => `名字“${name}”已被使用或保留。请换一个。`,
      impossible: (reason) => `不能用这个名字（${reason}）。`,
    },
    me: {
      otherName: '换一个名字',
      language: (name) => `语言：${name}`,
      languages: '语言',
      theme: { system: '配色：跟随设备', light: '配色：浅色', dark: '配色：深色' },
      state: {
        idle: '未连接',
        connecting: '正在连接',
        live: '已连接',
        waiting: '正在重新连接',
        offline: '离线',
        refused: '未连接',
        closed: '未连接',
      },
    },
    connection: {
      connecting: '正在连接…',
      lost: '连接已断开，正在重新连接',
      inSeconds: (seconds) => `（${number(seconds)} 秒后）`,
      now: '立即重新连接',
      offline: '你已离线。网络恢复后，Hubbub 也会恢复。',
      tryAgain: '重试',
    },
    rooms: {
      title: '房间',
      mine: '我的房间',
      find: '查找房间或成员',
      leave: (room) => `离开 ${room}`,
      unseen: (unseen, isMentioned) => `${number(unseen)} 条新消息${isMentioned ? '，有人提到了你' : ''}`,
      join: '加入',
      joinOrCreate: '加入或创建房间',
      rule: roomRule,
      none: '你不在任何房间里。加入一个就可以聊天。',
      wrong: '没有这个房间',
      noneNamed: (room) => `没有名为“${room}”的房间。请从列表中选择。`,
      ruleForNames: `房间的名字：${roomRule}`,
    },
    finder: {
      title: '查找',
      nothing: '没有这样的名字。',
      mention: '提及',
      join: '加入或创建',
      unseen: (unseen) => `${number(unseen)} 条新消息`,
    },
    people: {
      title: '成员',
      here: '谁在这里',
      online: (online) => `${number(online)} 人在线`,
      more: (unnamed) => `还有 ${number(unnamed)} 人`,
      you: '你',
      guest: '访客',
    },
    timeline: {
      label: (room) => `${room} 的消息`,
      beginning: (room) => `这里是 ${room}`,
      beginsHere: '对话从这里开始。',
      nothingYet: '还没有人说话。打个招呼吧！',
      nothingSince: '你来之后还没有人说话。打个招呼吧！',
      earlier: '更早的消息',
      unread: '新消息',
      missed: '你离开了一会儿。这里不保存那段时间的消息。',
      toLatest: (unread) => (unread > 0 ? `到最新消息，${count(unread)}` : '到最新消息'),
      count,
      moved: (came, went) =>
        [came.length > 0 ? `${some(came)} 加入了` : '', went.length > 0 ? `${some(went)} 离开了` : '']
          .filter((part) => part !== '')
          .join(' · '),
      noSuchMessage: '这个房间里没有这条消息。',
    },
    message: {
      deleted: '这条消息已删除。',
      empty: '这条消息是空的。',
      isEdited: '已编辑',
      isPinned: '已置顶',
      isNotSent: '未发送',
      sending: '正在发送',
      waiting: '等待连接',
      notSent: (why) => `未发送。${why}`,
      tryAgain: '重试',
      discard: '丢弃',
      toQuoted: '到被回复的消息',
      quotedEarlier: '一条更早的消息',
      more: '展开',
      less: '收起',
      copy: '复制',
      copied: '已复制',
      spoken: ({ who, text, time, marks, answers }) =>
        `${answers === undefined ? who : `${who} 回复 ${answers}`}：${[text, time, ...marks].join('，')}`,
    },
    actions: {
      title: '消息操作',
      react: '表情回应',
      reply: '回复',
      pin: '置顶',
      unpin: '取消置顶',
      copyLink: '复制链接',
      linkCopied: '链接已复制',
      edit: '编辑',
      delete: '删除',
    },
    deletion: {
      title: '删除这条消息？',
      warning: '所有人都将看不到它，而且无法恢复。',
      keep: '保留',
      delete: '删除',
    },
    pins: {
      title: '置顶消息',
      count: (pinned) => `${number(pinned)} 条置顶`,
      toLatest: '到置顶消息',
      unpin: (name, text) => `取消置顶 ${name}：${text}`,
    },
    reactions: {
      title: '表情回应',
      you: '你',
      by: (emoji, names, count) => {
        const others = count - names.length;
        const rest = others > 0 ? [`另外 ${number(others)} 人`] : [];
        return `${emoji} ${number(count)}，来自${list([...names, ...rest])}`;
      },
      choose: '用表情回应',
      another: '其他表情',
      react: '回应',
      emoji: {
        thumbsUp: '赞',
        heart: '爱心',
        joy: '笑哭',
        party: '庆祝',
        surprise: '惊讶',
        sad: '难过',
        thanks: '谢谢',
        eyes: '围观',
        done: '完成',
        fire: '火',
        thumbsDown: '踩',
        thinking: '思考',
      },
    },
    composer: {
      label: (room) => `发到 ${room} 的消息`,
      placeholder: (room) => `发消息到 #${room}`,
      readOnly: '你可以在这里阅读，但似乎不允许发言。',
      send: '发送',
      save: '保存',
      editing: '正在编辑你的消息',
      answering: (name) => `回复 ${name}`,
      stopEditing: '停止编辑',
      doNotReply: '不回复',
      typing: (names) => (names.length > 3 ? '好几个人正在输入' : `${list(names)} 正在输入`),
      tooManyWait: '这里等待发送的消息太多了。',
      suggestions: '建议',
      found: (count) => `${number(count)} 条建议`,
    },
    keys: {
      title: '快捷键',
      close: '关闭',
      names: { control: 'Ctrl', alt: 'Alt', shift: 'Shift', enter: 'Enter', escape: 'Esc' },
      previous: '上一个房间',
      next: '下一个房间',
      help: '这些快捷键',
      send: '发送消息',
      newLine: '换行',
      complete: '输入时：成员、房间、表情',
      editLast: '输入框为空时：编辑你的上一条消息',
      cancel: '停止编辑或回复；关闭对话框',
      lines: '在对话中：逐条移动',
    },
    notices: {
      dismiss: '关闭提示',
    },
    failures: {
      fields: {
        emoji: '这不是单个表情。',
        room: '房间不能用这个名字。',
        text: '文字太长，或含有不能发送的字符。',
      },
      otherField: '服务器没有看懂。',
      codes: {
        internal: '服务器出错了。请稍后重试。',
        not_found: '它已经不存在了。',
        rate_limited: '太快了。请稍等再试。',
        unavailable: '服务器现在无法处理。请稍后重试。',
        unknown_type: '这个页面与服务器不匹配。请重新加载页面。',
        forgotten: '服务器不再认得你，而这条消息可能已经发出。',
      },
      refused: (code, sentence) => (MEANINGS[code] === undefined ? sentence : `${MEANINGS[code]}（${sentence}）`),
      connectionLost: '服务器答复之前，连接断开了。',
    },
  };
}
