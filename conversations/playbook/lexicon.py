"""Words of one meaning, whatever their language: a concept per line. `mand*` stands for every word that begins so.

A word may mean several things ("para" is a preposition in Portuguese and "stop" in Spanish); the model weighs them.
Forms are as `text.tokens` gives them: folded, and spelled out.
"""

from functools import lru_cache

CONCEPTS = {
    "not": "nao no not don't doesn't didn't can't won't isn't aren't wasn't wouldn't shouldn't nunca never jamais jamas nem ni "
    "nem tampoco nenhum nenhuma ningun ninguna nada nothing none ninguem nadie nobody sem sin without couldn't haven't hasn't ain't",
    "more": "mais mas more anymore again novamente further mayor maior",
    "less": "menos less fewer menor",
    "stop": "par* pare parem parar stop* deja dejen dejar deje dejame basta chega quit cease enough suspend* interromp* cesar cesen "
    "para paren detene* pausa",
    "leave": "sai sair saio saiu saia salir salgo salga salirme leave leaving left largar largo dejar out fora afuera abandon*",
    "cancel": "cancel* desmarc* desist* anul* suspend* abort* call off encerr*",
    "remove": "tira tirar tire tirem tiren retir* remov* remova exclu* apag* delet* elimin* borr* saca sacar saquen saqueme sacame "
    "sacarme saquenme descadastr* desinscre* desinscr* desuscri* unsubscri* erase quita quiten quitar quitame quitenme wipe drop "
    "bajame desvincul* limpa limpar esquece esquecam olvida olviden olvidense forget lose perde apaga bloque* block* "
    "denuncia* baja",
    "send": "mand* envi* send* sent escrib* escrev* text texting texts dispar* encaminh* repass* posting spam",
    "message": "mensag* mensaj* message* sms email emails correo correos spam propaganda* publicidad* notific* notificacoes "
    "newsletter promo promoc* anuncio oferta ofertas texts msg",
    "receive": "receb* recib* receiv* get getting got",
    "contact": "contat* contact* cham* procur* reach llam* lig* liga call* telefon* ring retorn* busc* habl* escrib* incomod* "
    "marketing perturb* molest* importun* bother*",
    "list": "lista listas list lists cadastro cadastros base registro registros banco database mailing disparo disparos grupo "
    "transmissao difusion records roster file sistema",
    "number": "numero numeros number numer* telefone telefono phone celular cel movil whatsapp contato contacto line linha nome nombre name",
    "data": "dados dato datos data info informac* informacoes lgpd gdpr rgpd privacidade privacy privacidad consent* autoriz* optin "
    "habeas cpf",
    "annoyed": "chato chata incomod* saco spam* hassle annoy* bother* molest* perturb* insist* denunci* process* report* "
    "procon paz peace alone sossego enche insuport* cansad* harass* acoso abus* inferno pesad* fastidi* hart* sick "
    "persegu* invad* stalk* inconvenient* pentelh* insistente",
    "swear": "porra caralho merda cacete droga carajo mierda joder fuck* shit* damn hell puta puto bosta inferno desgraca",
    "person": "pessoa pessoas pessoal gente humano humana humanos human humans person people persona personas persons atendente* atend* "
    "operador* operator agente agent agents representante* rep representative vendedor* consultor* gerente manager* asesor* "
    "ejecutiv* encargad* responsavel supervisor* dono duenho jefe chefe boss especialista specialist analista equipe suporte "
    "staff associate colega funcionari* recepcion* secretari* moca moco senhor senhorita senorita carne osso hueso hueso",
    "someone": "alguem alguien someone somebody anyone anybody algum alguna uno quien quem who",
    "real": "real verdade verdad actual live vivo viva propri* mesmo",
    "machine": "robo robos robot robots robotic bot bots botzinho maquina maquinas ia ai machine automat* automatic* virtual* chatbot* "
    "computador* gpt chatgpt inteligenc* artificial gravacao script programa",
    "talk": "fal* convers* speak* talk* habl* atend* chat chatear transfer* pass passa passar passe pasa pasar pasame paseme pase "
    "pasenme comunic* connect* encaminh* put liga ligar ligue ligacao llamar llama llame llamada call phone discutir charl* platic*",
    "call": "ligacao ligacoes ligue liga ligar llamada llamadas llamame llameme llamenme llamar call calls telefonema phone ring",
    "meeting": "reuniao reunioes reunion reuniones meeting meet demo demonstrac* apresentac* agenda agend* horario horarios visita "
    "consulta cita call chamada bate-papo marcar marca marcamos agendar schedule book booking appointment videochamada entrevista "
    "encontro turno quedar",
    "reschedule": "remarc* reagend* adi* mudar muda cambiar cambio cambiamos reprogram* postpone* reschedul* move push pular antecip* "
    "transfer* passar posponer mover aplaz* adelant* another outro outra otro otra different trocar troca jogar",
    "want": "quero queria quer queremos gostaria gostariamos want wants wanted would like love quiero quisiera quer* prefir* prefer* "
    "querem busco procuro looking deseo desejo",
    "need": "precis* need* necesit* tenho tengo must falta ocup*",
    "can": "posso pode podem podes poder can could puedo puede pueden podria podrias poderia consigo consegue puedes podemos "
    "dar da able allowed possivel possible posible",
    "please": "favor please gentileza gentil amabilidad obsequio",
    "thanks": "obrigad* gracias thanks thank agradec* valeu grato grata appreciate grac* merci cheers",
    "greet": "oi ola opa eai hello hi hey hola buenas bom boa buenos dia tarde noite morning afternoon evening salve alo fala",
    "bye": "tchau abraco abracos ate adios chau bye saludos falou fui goodbye later cya hasta luego abs",
    "yes": "sim yes si isso claro ok okay yep yeah yup sure beleza bora pode certo exato exatamente positivo dale vale perfeito "
    "perfecto combinado fechado fechou uhum aham com certeza certeza obvio absolutely definitely correct correcto quero top show "
    "bueno fine deal done listo vamos simbora demorou tranquilo",
    "no_word": "nao no nope nah negativo nunca",
    "maybe": "talvez quizas quiza maybe perhaps depende depends acho creo think sei lo tal capaz acaso puede pueda",
    "unknown": "sei idea ideia idk know saber se nose duvida",
    "good": "bom boa bem otimo otima perfeito perfecto good great excelente show top massa legal bacana bien bueno fine nice cool "
    "maravilha maravilhoso genial joia feliz happy satisf* contente conten*",
    "bad": "ruim mal mala malo pessim* horriv* horrible terriv* terrible bad worse worst pior peor awful sucks lixo porcaria fraco "
    "fraca floja flojo feio fatal",
    "problem": "problem* dificuld* dificil hard difficult* dificultad* complic* transtorn* gargalo incomod* sofr* struggl* pain "
    "dor dolor dolor hassle nightmare pesadelo pesadilla bagunc* confus* mess* caos chaos caot* desorganiz* desorden* perrengue "
    "desastre disaster inferno cuello bottleneck issue* trouble* aperto drama reclam* complain* quej* sufri* penur*",
    "fail": "falh* fail* fall* erra* erro erros err* error* wrong mistake* equivoc* trav* crash* freez* frozen congel* cai caiu caem cae "
    "caen caer down break* broke* broken quebr* romp* rompe estrag* damag* pif* bug* buga bugs cuelg* tilt* descompo* malogr* vaza "
    "enguic* vazament* gotei* entup* leak* duplic* double trocad* trocam cruz* extravi* incomplet* vencid* expired",
    "forget": "esquec* forget* forgot* olvid* passa batido lembr* remember* acord*",
    "lose": "perd* lose* losing lost perder pierd* perdi some somem sumiu sumir desapar* disappear* vanish* ghost* escap* fug* foge "
    "missed miss missing",
    "late": "atras* demor* late delay* tarda* tarde slow lent* devagar tard* wait* espera* esper* aguard* fila cola queue overdue "
    "enrol* backlog backed acumul* pile*",
    "empty": "vazi* empty vaci* parad* ocios* idle sobra sobrando falta faltam faltan lack* short missing fraco esvazi* escass* "
    "pouc* poco pocos few hardly",
    "manual": "manual* mao maos hand hands copia copiar copy paste digit* type typing um por um one uno anot* escrev* write writing "
    "recorta passar retrabalho redo rehacer refazer duas vezes twice dos veces",
    "tired": "cans* tired exhaust* agot* esgot* stress* estress* estres* ansios* ansied* ansiedad nerv* insomni* insonia durm* "
    "dormir sleep* burnout burned overwork* sobrecarg* sobrecarreg* hart* fed sick saturad* loucura louco morto morta desgast* "
    "frustrad* frustrat* irrit* culpa chor* cry* llor* vergonha vergonz* ashamed",
    "damage": "mult* fine fined fines multa penal* penalty prejuiz* perdida* loss losses processo processad* lawsuit sued demand* "
    "demit* pediu demissao quit resign* renunci* despid* desped* fired turnover cancel* rescind* devolv* refund* reembols* estorn* "
    "devoluc* indeniz* compens* autuad* interdit* fiscaliza* churn* chargeback* calote credito juros interest emprestimo loan prestamo "
    "divida debt deuda despej* evict* advert* warning* acident* accident* hospital* cirurg* briga brig* fight* divorc* separ* "
    "reputa* resenas reviews estrelas stars google instagram reclame",
    "because": "porque por culpa causa because since due result* consecuencia consequencia entao so thus thats therefore resultado aí "
    "acab* termin* ended fez obrig* made tive tuve had tivemos tuvimos",
    "waste": "joga* jog* lixo trash waste* tir* bot* basura desperd* fora gast* burn* queim* throw* threw rasg*",
    "cost": "cust* cost* gast* pag* paid pay paying spend* spent perdi prejuizo sai salieron cuesta cobr* charge*",
    "benefit": "gan* econom* sav* ahorr* melhor* improve* mejor* aument* increase* cresc* grow* crec* dobr* doubl* duplicar tripl* "
    "expand* ampli* abr* open lucr* profit* vend* sell* sales contrat* hire* rend* fatur* escal* scale* fideliz* recuper*",
    "free": "liv* free libre libert* folga respir* breathe breath sosseg* tranquil* paz peace calm* leve alivi* relief seguranca "
    "seguro sleep dorm* fins viaj* travel* ferias vacation* vacaciones feriado domingo cedo early temprano filh* kids hijos familia "
    "family descans* rest foco focus* concentr* enfoc*",
    "time": "tempo tempos time tiempo hora horas hour hours hrs dia dias day days semana* week weeks mes meses month months minut* "
    "minute* tarde manha noite night nights madrugada fim finde weekend* fds",
    "would": "would could might seria queria gostaria podria poderia daria dava ia iria teria tendria faria haria conseguiria ficaria quedaria "
    "sobraria sobraba vendria mudaria cambiaria ajudaria ayudaria me'd we'd i'd they'd it'd sonho suen* dream* ideal quem-dera ojala "
    "wish hope espero espera",
    "today": "hoje hoy today atualmente actualmente currently now agora ahora normalmente usually geralmente sempre always siempre "
    "costum* suelo solemos diari* daily moment momento",
    "use": "uso usa usam usamos usando usar use uses using used utiliz* run runs running ocup* trabajo trabajamos trabalh* work works "
    "working funciona feito faz fazem fazemos faco hago hace hacemos hacen do does",
    "have": "tem temos tenho tengo tenemos tiene tienen have has had ha hay there",
    "be": "sou somos soy am are is estou estamos esta e eh es son",
    "i": "eu yo i me mim mi comigo conmigo myself mesmo mesma",
    "we": "nos nosotros we our us nosso nossa nuestro nuestra gente equipo time team equipe",
    "tool": "planilha* planilla* hoja excel sheets spreadsheet* caderno* caderninho cuaderno* libreta* notebook paper papel papeles "
    "sistema* system* software* programa app aplicativo aplicacion crm erp agenda calendario calendar whatsapp instagram insta email "
    "quadro lousa pizarra whiteboard caneta drive word access prontuario ficha fichas maquininha plataforma trello notion hubspot "
    "salesforce pipedrive bling omie tiny quickbooks",
    "staff": "funcionari* empleados employee* colaborador* equipe equipo team staff time pessoas personas people gente secretari* "
    "recepcionist* vendedor* rep reps atendentes socio socios socia partner ajudante* ayudante* motorista* drivers driver choferes "
    "tecnico* technicians medicos doctors professores teachers profesores instrutor* corretor* advogad* estagiari* intern "
    "sobrinho prima primo irmao irma hermano hermana filho filha hijo hija esposa marido esposo mujer wife husband mae pai",
    "volume": "clientes client* customer* pedidos orders pedido alunos students paciente* patient* vendas ventas leads contatos "
    "unidades lojas loja stores tiendas tienda filia* sucursal* quartos rooms habitaciones mesas tables carros cars vehiculos "
    "veiculos caminh* trucks trucks hectares imoveis properties casos contratos notas entregas deliveries envios boletos facturas "
    "invoices kg litros metros toneladas km",
    "per": "por per cada each every todo toda todos todas al diarias mensais mensal mensuales mensual monthly semanal",
    "price": "preco precos valor valores custa custam price* pricing cost costs precio* quanto cuanto cuesta much tarifa plano planos "
    "plan planes mensalidade mensualidad fee rates orcamento cotac* quote cotiz* presupuesto tabela",
    "expensive": "caro cara caros expensive pricey salgado puxado elevad* steep absurd* careiro carissim* dinheirama barbaridade fortuna overpriced",
    "cheap": "barat* cheap* desconto* discount* descuento* rebaixa promoc* condicao negoci* abaix* menos lower rebaj*",
    "money": "dinheiro dinero money grana plata verba orcamento budget presupuesto caixa caja cash capital reais real r$ mil k pila "
    "conto contos pesos dolares dollars bucks usd euros soles lana bolso investi* invest invert*",
    "afford": "cabe cab* afford* pago pagaria pay posso consigo reserv* separ* dispon* aprovad* approved aprobad* guardad* teto "
    "limite max maximo maximum tope top ate hasta up set aside juntei ahorr* faixa rango range dentro within fits",
    "broke": "sem apertad* tight liso duro quebrad* zerad* zero cero broke curto curta justo falido endivid* negativad* pelad*",
    "urgent": "urgent* urgente pressa prisa rush hurry logo ja ya now rapido quick* asap imediat* inmediat* immediat* ontem ayer "
    "yesterday hoje hoy today amanha manana tomorrow correndo corriendo cuanto antes right soon pronto esta essa this emergencia "
    "emergency deadline prazo vence vencer vencendo desesperad* desperate*",
    "later": "depois despues later ano ano-que-vem year next que-vem proximo proxima mes quem-sabe futuro future frente adelante enquanto "
    "momento semestre janeiro fevereiro marco abril enero febrero january february march april quarter trimestre calma calm hurry "
    "pressa prisa rush plans planos",
    "decide": "decid* decis* decide decision dono dona duen* owner sozinh* sol* alone mando manda sign firma firmo assino aprov* "
    "approv* aprueb* aprob* bato martelo call palavra boss jefe jefa chefe responsavel proprietari* comando resolvo yo eu",
    "others": "socio socia socios sociedade partner partners socio esposa marido wife husband esposo mujer diretor* director* diretoria board "
    "conselho consejo directivo chefe jefe boss cfo ceo matriz financeiro finance juridico legal comite committee mae pai madre padre "
    "irmao hermano sindico assembleia comprador compras compliance gerente manager",
    "consult": "falar hablar talk consultar consult conversar alinhar check run aprovar preguntar perguntar ask ver depende passar "
    "levar juntos together both ambos dois mostrar show",
    "think": "pens* think* analis* avali* pensar evalu* consider* review* olhar vejo ver veo check estud* refletir reflexion* calma",
    "interest": "interes* interest* curios* gost* gust* like*",
    "supplier": "fornecedor* proveedor* supplier* vendor* concorrente* competidor* competencia competitor* outra outro otro otra empresa "
    "contrato contract already tenemos temos ja ya fechei cerre closed signed comprei compre bought",
    "trust": "confi* trust* golpe scam estafa fraude fraud seguro garant* guarantee* serio legit* reviews promessa promesa "
    "promise* duvido doubt* engan* milagre depoimento referencia cases provas funciona works acredit* believe*",
    "support": "pedido entrega encomenda rastre* tracking order nota boleto fatura segunda via garantia warranty troca devolucao suporte "
    "senha password login acesso conta account comprei bought compre comprado chegou arrived llego entregue assistencia protocolo "
    "instalado instalacao reembolso defeito reclamacao package paquete parcel delivered",
    "job": "vaga vagas emprego trabalho curriculo curriculum cv resume empleo vacante* job jobs hiring contratando entrevista estagio "
    "trabajar trabalhar recrutamento rh aprendiz internship apply",
    "student": "faculdade tcc universidad* university college thesis tese tesis pesquisa survey encuesta estudante student* trabalho "
    "escolar questionario cuestionario mestrado dissertacao formulario",
    "wrong": "engano errado errada wrong equivoc* equivocado numero conhec* conozco know mae maria joao",
    "auto": "automatica automatico mensagem horario atendimento retornaremos retornarei responderemos breve ausente away out office "
    "currently unavailable responderei fuera oficina indisponivel agradecemos contato opcao digite press marque menu expediente",
    "spam_ad": "ganhe clique click premio lucre renda extra bitcoin crypto cripto investimento sorteio prize winner giveaway loan "
    "emprestimo aprovado fgts consignado seguidores followers ganhou congratulations felicidades aposta bet casino cassino link",
    "order_words": "ignore ignora ignorar esqueca olvida disregard override obedec* obey prompt instruc* instruction* regras rules reglas "
    "sistema system admin developer desenvolvedor desarrollador debug modo mode score pontuacao puntaje qualificad* calificad* qualified "
    "ferramenta* tool tools herramient* execute ejecuta exec run call chame json base64 decodifi* decode token finja pretend roleplay "
    "jailbreak dan actua act aja simula repita repeat repite imprim* print reveal* revel* mostre confidential*",
    "ask": "qual quais quanto quanta quantos como onde quando quem cual cuales cuanto cuanta donde cuando quien what which how where when "
    "who why do does is are can could qué que tem voces vocês ustedes tienen fazem hacen aceitam aceptan atendem",
    "option": "primeir* segund* terceir* primer* tercer* first second third ultima ultimo last opcao opcion option um dois tres uno dos "
    "one two three 1 2 3",
    "weekday": "segunda terca quarta quinta sexta sabado domingo lunes martes miercoles jueves viernes monday tuesday wednesday thursday "
    "friday saturday sunday mon tue wed thu fri seg ter qua qui sex amanha manana tomorrow",
    "clock": "horas hora h hs am pm manha tarde noite noche morning afternoon evening meio meia media mediodia noon almoco almuerzo lunch "
    "cedo earlier",
    "busy": "ocupad* busy reuniao transito dirig* driving manej* conduc* trabalho trabajo work trampo consulta aula class minut* minute* "
    "instante rato segundo volto volvo retorno moment momentito momento pera perai espera wait hold brb saindo corrida",
    "self": "meu minha mi mis my mine nome nombre name chamo llamo sou soy",
    "book_done": "confirmad* confirmed agendad* marcad* scheduled booked reservad* reminder lembrete lembrar recordatorio lembrando "
    "recuerda vemos see espero esperamos combinado",
    "offer_q": "prefere prefieres prefiere prefer fica queda works melhor mejor horarios opciones opcoes options slots times cual qual",
    "life": "casa home hogar moro vivo live apartamento aluguel rent alquiler conta luz carro car coche moto family cachorro dog perro gato "
    "joelho peso dieta saude health academia gym estudo",
    "health": "medic* doctor* dor dores pain remedio saude exame diabet* pressao engord* emagrec* lesion* coluna joelho",
    "correction": "alias digo corrigindo ops opa perdon perdao errei quer dizer actually mean sorry correccion correcao verdade melhor oops",
    "laugh": "kk kkk k rs rsrs haha jaja jajaja lol hehe kkkkk hahaha ha",
}


@lru_cache(maxsize=1)
def _index() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    whole: dict[str, set[str]] = {}
    beginnings: dict[str, set[str]] = {}
    for concept, listed in CONCEPTS.items():
        for word in listed.split():
            target = beginnings if word.endswith("*") else whole
            target.setdefault(word.rstrip("*"), set()).add(concept)
    return ({k: tuple(sorted(v)) for k, v in whole.items()}, {k: tuple(sorted(v)) for k, v in beginnings.items()})


@lru_cache(maxsize=8192)
def concepts(form: str) -> tuple[str, ...]:
    """What a folded word may mean, in alphabetical order; empty when no concept lists it."""
    whole, beginnings = _index()
    found = set(whole.get(form, ()))
    for length in range(2, len(form) + 1):
        found.update(beginnings.get(form[:length], ()))
    return tuple(sorted(found))
