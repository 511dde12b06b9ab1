import type { Words } from './en';
import type { Formats } from './formats';

const MEANINGS: Record<string, string> = {
  closed: 'El servidor cerró la conexión.',
  conflict: 'Eso ya está ocupado.',
  forbidden: 'Eso no está permitido aquí.',
  invalid: 'El servidor no lo acepta así.',
  too_large: 'Eso es demasiado grande.',
  unauthenticated: 'No has iniciado sesión.',
};

export function es({ number, atMost99, list, plural }: Formats): Words {
  const some = (names: readonly string[]) =>
    list(names.length <= 4 ? names : [...names.slice(0, 3), `${number(names.length - 3)} personas más`]);
  const fresh = (unread: number) => plural(unread, { one: 'nuevo', other: 'nuevos' });
  const count = (unread: number) => `${atMost99(unread)} ${fresh(unread)}`;
  const roomRule = 'Solo letras de la A a la Z, cifras y . _ : - | @, y al principio una letra o una cifra.';

  return {
    entry: {
      title: 'Adelante',
      ask: 'Elige un nombre que verán los demás.',
      name: 'Tu nombre',
      enter: 'Empezar a hablar',
      connecting: 'Conectando…',
      refused: 'Todavía no puedes entrar',
      taken: (name) => `El nombre «${name}» está en uso o reservado. Elige otro.`,
      impossible: (reason) => `Eso no puede ser un nombre (${reason}).`,
    },
    me: {
      otherName: 'Usar otro nombre',
      language: (name) => `Idioma: ${name}`,
      languages: 'Idioma',
      theme: { system: 'Colores: como el dispositivo', light: 'Colores: claros', dark: 'Colores: oscuros' },
      state: {
        idle: 'Sin conexión',
        connecting: 'Conectando',
        live: 'En línea',
        waiting: 'Conectando de nuevo',
        offline: 'Sin red',
        refused: 'Sin conexión',
        closed: 'Sin conexión',
      },
    },
    connection: {
      connecting: 'Conectando…',
      lost: 'Se perdió la conexión. Nuevo intento',
      unreachable: 'El servidor no responde. Nuevo intento',
      inSeconds: (seconds) => `en ${number(seconds)} s`,
      now: 'Conectar ahora',
      offline: 'Estás sin red. Hubbub vuelve cuando vuelva tu red.',
      tryAgain: 'Intentar de nuevo',
    },
    rooms: {
      title: 'Salas',
      mine: 'Mis salas',
      find: 'Ir a una sala o a una persona',
      menu: (room) => `Acciones para ${room}`,
      favourite: 'Añadir a favoritas',
      notFavourite: 'Quitar de favoritas',
      leave: 'Salir de la sala',
      sections: { favourites: 'Favoritas', rooms: 'Otras salas' },
      sort: 'Ordenar las salas',
      order: { name: 'Por nombre', activity: 'Por último mensaje' },
      browse: 'Ver todas las salas',
      unseen: (unseen, isMentioned) => `${number(unseen)} ${fresh(unseen)}${isMentioned ? ', te han mencionado' : ''}`,
      join: 'Entrar',
      joinOrCreate: 'Entra o crea una sala',
      rule: roomRule,
      none: 'No estás en ninguna sala. Entra en una para hablar.',
      wrong: 'Esa sala no existe',
      noneNamed: (room) => `No hay ninguna sala «${room}». Elige una de la lista.`,
      ruleForNames: `El nombre de una sala: ${roomRule}`,
    },
    browser: {
      title: 'Todas las salas',
      search: 'Buscar salas',
      loading: 'Cargando…',
      nothing: 'Ninguna sala se llama así.',
      joined: 'dentro',
      trouble: {
        unknown:
          'Este servidor es más antiguo que esta página y no puede mostrar sus salas. Entra en una sala por su nombre.',
        failed: 'Ahora no se pueden mostrar las salas.',
      },
    },
    finder: {
      title: 'Ir a',
      nothing: 'Nada se llama así.',
      mention: 'mencionar',
      join: 'entrar o crear',
      unseen: (unseen) => `${number(unseen)} ${fresh(unseen)}`,
    },
    people: {
      title: 'Personas',
      search: 'Buscar personas',
      showAll: 'Mostrar a todas',
      nobody: 'Aquí nadie se llama así.',
      trouble: 'Ahora no se puede mostrar a las personas.',
      here: 'Quién está aquí',
      online: (online) => `${number(online)} en línea`,
      you: 'tú',
      guest: 'invitado',
    },
    timeline: {
      label: (room) => `Mensajes en ${room}`,
      beginning: (room) => `Esta es ${room}`,
      beginsHere: 'Aquí empieza todo.',
      nothingYet: 'Nadie ha dicho nada todavía. ¡Saluda!',
      nothingSince: 'Nadie ha dicho nada desde que llegaste. ¡Saluda!',
      earlier: 'Mensajes anteriores',
      unread: 'Nuevos',
      missed: 'Estabas fuera. Lo que se dijo mientras tanto no se guarda aquí.',
      toLatest: (unread) => (unread > 0 ? `Al último mensaje, ${count(unread)}` : 'Al último mensaje'),
      count,
      moved: (came, went) =>
        [
          came.length > 0 ? `${some(came)} ${plural(came.length, { one: 'entró', other: 'entraron' })}` : '',
          went.length > 0 ? `${some(went)} ${plural(went.length, { one: 'salió', other: 'salieron' })}` : '',
        ]
          .filter((part) => part !== '')
          .join(' · '),
      noSuchMessage: 'No hay tal mensaje en esta sala.',
    },
    message: {
      deleted: 'Este mensaje fue borrado.',
      empty: 'Este mensaje está vacío.',
      isEdited: 'editado',
      isPinned: 'fijado',
      isNotSent: 'no enviado',
      sending: 'Enviando',
      waiting: 'Espera a la conexión',
      notSent: (why) => `No se envió. ${why}`,
      tryAgain: 'Intentar de nuevo',
      discard: 'Descartar',
      toQuoted: 'Al mensaje al que este responde',
      quotedEarlier: 'Un mensaje anterior',
      more: 'Mostrar más',
      less: 'Mostrar menos',
      copy: 'Copiar',
      copied: 'Copiado',
      spoken: ({ who, text, time, marks, answers }) =>
        `${answers === undefined ? who : `${who} responde a ${answers}`}: ${[text, time, ...marks].join(', ')}`,
    },
    actions: {
      title: 'Acciones del mensaje',
      react: 'Reaccionar',
      reply: 'Responder',
      pin: 'Fijar',
      unpin: 'Dejar de fijar',
      copyLink: 'Copiar enlace',
      linkCopied: 'Enlace copiado',
      edit: 'Editar',
      delete: 'Borrar',
    },
    deletion: {
      title: '¿Borrar este mensaje?',
      warning: 'Desaparece para todos y no vuelve.',
      keep: 'Conservar',
      delete: 'Borrar',
    },
    pins: {
      title: 'Mensajes fijados',
      count: (pinned) => `${number(pinned)} ${plural(pinned, { one: 'fijado', other: 'fijados' })}`,
      toLatest: 'Al mensaje fijado',
      unpin: (name, text) => `Dejar de fijar ${name}: ${text}`,
    },
    reactions: {
      title: 'Reacciones',
      you: 'ti',
      by: (emoji, names, count) => {
        const others = count - names.length;
        const people = plural(others, { one: 'persona más', other: 'personas más' });
        const rest = others > 0 ? [`${number(others)} ${people}`] : [];
        return `${emoji} ${number(count)}, de ${list([...names, ...rest])}`;
      },
      choose: 'Reaccionar con un emoji',
      common: 'Emojis frecuentes',
      another: 'Otro emoji',
      react: 'Reaccionar',
      emoji: {
        thumbsUp: 'pulgar arriba',
        heart: 'corazón',
        joy: 'lágrimas de risa',
        party: 'fiesta',
        surprise: 'sorpresa',
        sad: 'triste',
        thanks: 'gracias',
        eyes: 'ojos',
        done: 'hecho',
        fire: 'fuego',
        thumbsDown: 'pulgar abajo',
        thinking: 'pensativo',
      },
    },
    composer: {
      label: (room) => `Mensaje en ${room}`,
      placeholder: (room) => `Mensaje en #${room}`,
      readOnly: 'Aquí puedes leer. Parece que no se permite escribir.',
      send: 'Enviar',
      save: 'Guardar',
      editing: 'Editas tu mensaje',
      answering: (name) => `Respuesta a ${name}`,
      stopEditing: 'Dejar de editar',
      doNotReply: 'No responder',
      typing: (names) =>
        names.length > 3
          ? 'Varias personas escriben'
          : `${list(names)} ${plural(names.length, { one: 'escribe', other: 'escriben' })}`,
      tooManyWait: 'Aquí esperan demasiados mensajes por enviar.',
      suggestions: 'Sugerencias',
      found: (count) => `${number(count)} ${plural(count, { one: 'sugerencia', other: 'sugerencias' })}`,
    },
    keys: {
      title: 'Teclas',
      close: 'Cerrar',
      names: { control: 'Ctrl', alt: 'Alt', shift: 'Mayús', enter: 'Intro', escape: 'Esc' },
      previous: 'La sala de arriba',
      next: 'La sala de abajo',
      help: 'Estas teclas',
      send: 'Enviar el mensaje',
      newLine: 'Empezar una línea',
      complete: 'Al escribir: una persona, una sala, un emoji',
      editLast: 'En un campo vacío: editar tu último mensaje',
      cancel: 'Dejar de editar o responder; cerrar un diálogo',
      lines: 'En la conversación: de mensaje en mensaje',
      roomMenu: 'En la lista de salas: al menú de una sala',
    },
    notices: {
      dismiss: 'Quitar',
    },
    failures: {
      fields: {
        emoji: 'Eso no es un solo emoji.',
        room: 'Ninguna sala puede llamarse así.',
        text: 'Este texto es demasiado largo o contiene caracteres que no se pueden enviar.',
      },
      otherField: 'El servidor no lo ha entendido.',
      codes: {
        internal: 'Algo ha fallado en el servidor. Inténtalo de nuevo en un momento.',
        not_found: 'Eso ya no existe.',
        rate_limited: 'Demasiado rápido. Espera un momento e inténtalo de nuevo.',
        unavailable: 'El servidor no puede hacerlo ahora. Inténtalo de nuevo en un momento.',
        unknown_type: 'Esta página y su servidor no encajan. Recarga la página.',
        forgotten: 'El servidor ya no te conoce, y puede que esto ya se enviara.',
      },
      refused: (code, sentence) => (MEANINGS[code] === undefined ? sentence : `${MEANINGS[code]} (${sentence})`),
      connectionLost: 'La conexión se cortó antes de que el servidor respondiera.',
    },
  };
}
